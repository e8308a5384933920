/**
 * Ciphertexts on their way to or from S3. They wait on disk: S3 wants to know length and hash before the first byte, a
 * failed attempt has to be sent again, and a phone may take minutes for what S3 sends in a second.
 */
import { createHash, randomUUID } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Chunks, chunksOf } from "../../chunks.ts";
import { type Digest, readContent, streamContent, streamOf, writeContent } from "../content-file.ts";
import { type Content, StorageUnavailable } from "../contract.ts";

/** Up to this size a ciphertext never leaves memory. */
export const MAX_HELD_BYTES = 256 * 1024;

/** A ciphertext that can be read any number of times, until it is disposed of or handed out as a stream. */
export interface Spooled extends AsyncDisposable {
  readonly digest: Digest;
  read(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  /** The last reading: its end disposes of the rest. */
  stream(): ReadableStream<Uint8Array>;
}

/**
 * Takes in content to its end.
 *
 * @throws StorageUnavailable when the disk refuses; what `content` throws.
 */
export async function spool(content: Content): Promise<Spooled> {
  const chunks = iteratorOf(content);
  try {
    const held: Uint8Array[] = [];
    for (let size = 0; size <= MAX_HELD_BYTES; ) {
      const next = await chunks.next();
      if (next.done === true) return inMemory(held);
      if (next.value.length > 0) held.push(next.value);
      size += next.value.length;
    }
    return await onDisk(thenRest(held, chunks));
  } finally {
    await chunks.return?.(); // what is not taken in, because the disk refuses, may hold a connection
  }
}

/**
 * Resolves when large ciphertexts can be taken in.
 *
 * @throws StorageUnavailable
 */
export async function requireSpool(): Promise<void> {
  const file = await openNameless();
  await file.close();
}

function inMemory(pieces: readonly Uint8Array[]): Spooled {
  const hash = createHash("sha256");
  let size = 0;
  for (const piece of pieces) {
    hash.update(piece);
    size += piece.length;
  }
  return {
    digest: { size, sha256: hash.digest("hex") },
    read: () => pieces,
    stream: () => streamOf(pieces),
    async [Symbol.asyncDispose]() {},
  };
}

async function onDisk(content: Content): Promise<Spooled> {
  const file = await openNameless();
  try {
    const digest = await writeContent(file, content);
    return {
      digest,
      read: () => readContent(file, digest.size),
      stream: () => streamContent(file, digest.size),
      [Symbol.asyncDispose]: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** A file that is gone as soon as it is closed, by us or by the end of the process. */
async function openNameless(): Promise<FileHandle> {
  const path = join(tmpdir(), `backup-service-${randomUUID()}`);
  try {
    const file = await open(path, "wx+", 0o600);
    await unlink(path).catch(async (error: unknown) => {
      await file.close();
      throw error;
    });
    return file;
  } catch (error) {
    throw new StorageUnavailable(`the folder for temporary files, ${tmpdir()}, cannot be used now`, {
      cause: error,
    });
  }
}

/** What was held first; it is let go of as it is passed on. */
function thenRest(held: Uint8Array[], rest: ChunkIterator): Chunks {
  return chunksOf(
    async () => held.shift() ?? (await rest.next()).value ?? null,
    async () => {},
  );
}

type ChunkIterator = AsyncIterator<Uint8Array, undefined> | Iterator<Uint8Array, undefined>;

function iteratorOf(content: Content): ChunkIterator {
  return Symbol.asyncIterator in content ? content[Symbol.asyncIterator]() : content[Symbol.iterator]();
}
