/** The blob store of the embedded driver: one file per ciphertext, `blobs/<2 hex>/<uuid>`. */
import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Random } from "../../clock.ts";
import { BlobDamaged, type BlobRef, type BlobStore, StorageUnavailable } from "../contract.ts";

const CHUNK_BYTES = 64 * 1024;
/** Many streams may be open at once. A multiple of 3, which suits whoever makes base64 of it. */
const STREAM_BYTES = 3 * 32 * 1024;
const TEMPORARY_MAX_AGE_MS = 60 * 60 * 1000;
const KEY = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export interface LocalBlobsOptions {
  readonly dataDir: string;
  readonly random: Random;
}

/** Opens (and creates) `blobs/` in `dataDir`. Folders are made with mode 0700, files with 0600. */
export async function openLocalBlobs({ dataDir, random }: LocalBlobsOptions): Promise<BlobStore> {
  const root = join(dataDir, "blobs");
  const temporary = join(root, "tmp");
  await mkdir(temporary, { recursive: true, mode: 0o700 });
  await removeAbandoned(temporary);
  await syncDirectory(dataDir);
  await syncDirectory(root);
  return new LocalBlobs(root, temporary, random);
}

class LocalBlobs implements BlobStore {
  readonly holdsContent = false;
  readonly #root: string;
  readonly #temporary: string;
  readonly #random: Random;
  readonly #folders = new Map<string, Promise<void>>();

  constructor(root: string, temporary: string, random: Random) {
    this.#root = root;
    this.#temporary = temporary;
    this.#random = random;
  }

  async put(_backupId: string, content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<BlobRef> {
    const key = this.#random.uuid();
    const path = this.#path(key);
    const temporary = join(this.#temporary, key);
    const hash = createHash("sha256");
    let size = 0;
    const file = await answer(() => open(temporary, "wx", 0o600));
    try {
      for await (const chunk of content)
        for (const piece of pieces(chunk)) {
          hash.update(piece);
          size += piece.length;
          await answer(() => writeFully(file, piece));
          await nextTurn();
        }
      await answer(async () => {
        await file.sync();
        await file.close();
        await this.#folder(dirname(path));
        await rename(temporary, path);
        await syncDirectory(dirname(path));
      });
    } catch (error) {
      await file.close();
      await removeIfThere(temporary);
      throw error;
    }
    return { key, size, sha256: hash.digest("hex") };
  }

  async get(ref: BlobRef): Promise<ReadableStream<Uint8Array> | null> {
    const path = this.#path(ref.key);
    const file = await answer(() => openIfThere(path));
    if (file === null) return null;
    try {
      if (ref.size <= CHUNK_BYTES) {
        const content = await answer(() => readUpTo(file, ref.size + 1));
        verify(ref, content.length, createHash("sha256").update(content).digest("hex"));
        await file.close();
        return streamOf(content);
      }
      await verifyFile(ref, file);
      return streamFile(file, ref.size);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async sizeOf(key: string): Promise<number | null> {
    if (!isBlobKey(key)) return null;
    return (await answer(() => statIfThere(this.#path(key))))?.size ?? null;
  }

  async delete(key: string): Promise<void> {
    await answer(() => removeIfThere(this.#path(key)));
  }

  async *list() {
    for (const folder of await answer(() => readdir(this.#root))) {
      if (!/^[0-9a-f]{2}$/.test(folder)) continue;
      for (const key of await answer(() => readdir(join(this.#root, folder)))) {
        const found = await answer(() => statIfThere(join(this.#root, folder, key)));
        if (found !== null && KEY.test(key)) yield { key, size: found.size, storedAtMs: found.mtimeMs };
      }
    }
  }

  async ready(): Promise<void> {
    await answer(() => stat(this.#temporary));
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #path(key: string): string {
    return blobPath(this.#root, key);
  }

  /** Makes a folder durably, once. */
  #folder(path: string): Promise<void> {
    const known = this.#folders.get(path);
    if (known !== undefined) return known;
    const made = mkdir(path, { recursive: true, mode: 0o700 }).then(() => syncDirectory(this.#root));
    this.#folders.set(path, made);
    made.catch(() => this.#folders.delete(path)); // tried anew by the next caller; this one sees the error
    return made;
  }
}

export function isBlobKey(key: string): boolean {
  return KEY.test(key);
}

/** @param root the folder `blobs` of a data folder. */
export function blobPath(root: string, key: string): string {
  if (!isBlobKey(key)) throw new Error(`not a blob key: ${key.slice(0, 50)}`);
  return join(root, key.slice(0, 2), key);
}

/** Reads the whole file once, in pieces, before any of it is served. */
async function verifyFile(ref: BlobRef, file: FileHandle): Promise<void> {
  const buffer = new Uint8Array(CHUNK_BYTES);
  const hash = createHash("sha256");
  let position = 0;
  for (;;) {
    const { bytesRead } = await answer(() => file.read(buffer, 0, CHUNK_BYTES, position));
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
    await nextTurn();
  }
  verify(ref, position, hash.digest("hex"));
}

function verify(ref: BlobRef, size: number, sha256: string): void {
  if (size !== ref.size) throw new BlobDamaged(ref.key, `${size} bytes, not ${ref.size}`);
  if (sha256 !== ref.sha256) throw new BlobDamaged(ref.key, `SHA-256 ${sha256}, not ${ref.sha256}`);
}

function streamOf(content: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      if (content.length > 0) controller.enqueue(content);
      controller.close();
    },
  });
}

/** Streams a file that is kept open, so that it can be read to its end even when it is deleted meanwhile. */
function streamFile(file: FileHandle, size: number): ReadableStream<Uint8Array> {
  let position = 0;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const buffer = new Uint8Array(Math.min(STREAM_BYTES, size - position));
          const { bytesRead } = await answer(() => file.read(buffer, 0, buffer.length, position));
          if (bytesRead === 0) throw new StorageUnavailable("a blob ended early while it was read");
          position += bytesRead;
          await nextTurn();
          controller.enqueue(buffer.subarray(0, bytesRead));
          if (position < size) return;
          await file.close();
          controller.close();
        } catch (error) {
          await file.close();
          throw error;
        }
      },
      cancel: () => file.close(),
    },
    { highWaterMark: 0 },
  );
}

/** Cuts large chunks, so that hashing one never holds up the event loop for long. */
function* pieces(chunk: Uint8Array): Iterable<Uint8Array> {
  for (let start = 0; start < chunk.length; start += CHUNK_BYTES)
    yield chunk.subarray(start, start + CHUNK_BYTES);
}

async function writeFully(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length; )
    written += (await file.write(bytes, written, bytes.length - written)).bytesWritten;
}

async function readUpTo(file: FileHandle, maxBytes: number): Promise<Uint8Array> {
  const buffer = new Uint8Array(maxBytes);
  let length = 0;
  while (length < maxBytes) {
    const { bytesRead } = await file.read(buffer, length, maxBytes - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}

/** Makes renames and new entries of a folder durable. */
export async function syncDirectory(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Removes temporary files of writes that a crash cut off. Young ones may belong to another process. */
async function removeAbandoned(temporary: string): Promise<void> {
  for (const name of await readdir(temporary)) {
    const path = join(temporary, name);
    const found = await statIfThere(path);
    if (found !== null && Date.now() - found.mtimeMs > TEMPORARY_MAX_AGE_MS) await removeIfThere(path);
  }
}

const openIfThere = (path: string) => orNullIfMissing(open(path, "r"));
const statIfThere = (path: string) => orNullIfMissing(stat(path));
const removeIfThere = (path: string) => orNullIfMissing(unlink(path));

async function orNullIfMissing<T>(result: Promise<T>): Promise<T | null> {
  try {
    return await result;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    throw error;
  }
}

/** Runs a file operation; what the file system refuses becomes {@link StorageUnavailable}. */
async function answer<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (errorCode(error) === null || error instanceof StorageUnavailable) throw error;
    throw new StorageUnavailable("the blob folder cannot be used now", { cause: error });
  }
}

function errorCode(error: unknown): string | null {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : null;
}
