/**
 * Ciphertexts on their way to S3. They wait, in memory or on disk: S3 wants to know length and hash before the first byte,
 * a failed attempt has to be sent again, and a phone may take minutes for what S3 sends in a second.
 */
import { randomUUID } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PROBE } from "../../runtime/folders.ts";
import { IN_MEMORY_BYTES } from "../../runtime/sizes.ts";
import { type Digest, fileOperation, HashedContent, readContent, writePieces } from "../content-file.ts";
import { type Content, StorageUnavailable } from "../contract.ts";
import { takeBySize } from "../small-content.ts";
import type { SpoolMemory } from "./spool-memory.ts";

/** A ciphertext that can be read any number of times, until it is disposed of. */
export interface Spooled extends AsyncDisposable {
  readonly digest: Digest;
  read(): Content;
}

/**
 * Takes in content to its end: in memory if it is small or `memory` has room for it, otherwise on disk.
 *
 * @param client has a share of the memory.
 * @throws StorageUnavailable when the disk refuses; what `content` throws.
 */
export async function spool(content: Content, memory: SpoolMemory, client: string): Promise<Spooled> {
  await using started = new AsyncDisposableStack();
  const reservation = started.use(memory.reserve(client));
  const hashed = new HashedContent(content);
  const kept = await takeBySize(
    hashed,
    (size) => size <= IN_MEMORY_BYTES || reservation.growTo(size),
    async (pieces): Promise<Kept> => ({ read: () => pieces }),
    async (chunks): Promise<Kept> => {
      const file = started.adopt(await openNameless(), (opened) => opened.close());
      await writePieces(file, chunks);
      reservation[Symbol.dispose](); // the pieces that waited in memory are on disk, too
      return { read: (size) => readContent(file, size) };
    },
  );
  const digest = hashed.digest();
  const resources = started.move();
  return {
    digest,
    read: () => kept.read(digest.size),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

interface Kept {
  read(size: number): Content;
}

/**
 * Resolves when large ciphertexts can be taken in.
 *
 * @throws StorageUnavailable
 */
export async function requireSpool(): Promise<void> {
  await using file = await openNameless();
  await fileOperation(() => file.writeFile(PROBE));
}

/** A file without a name: the system removes it when it is closed, also by the end of the process. */
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
