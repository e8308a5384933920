/**
 * Ciphertexts on their way to S3. They wait on disk: S3 wants to know length and hash before the first byte, a
 * failed attempt has to be sent again, and a phone may take minutes for what S3 sends in a second.
 */
import { randomUUID } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PROBE } from "../../runtime/folders.ts";
import { IN_MEMORY_BYTES } from "../../runtime/sizes.ts";
import { type Digest, fileOperation, readContent, writeContent } from "../content-file.ts";
import { type Content, StorageUnavailable } from "../contract.ts";
import { digestOfPieces, takeBySize } from "../small-content.ts";

/** A ciphertext that can be read any number of times, until it is disposed of. */
export interface Spooled extends AsyncDisposable {
  readonly digest: Digest;
  read(): Content;
}

/**
 * Takes in content to its end.
 *
 * @throws StorageUnavailable when the disk refuses; what `content` throws.
 */
export async function spool(content: Content): Promise<Spooled> {
  return takeBySize(content, IN_MEMORY_BYTES, inMemory, onDisk);
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

function inMemory(pieces: readonly Uint8Array[]): Spooled {
  return {
    digest: digestOfPieces(pieces),
    read: () => pieces,
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
      [Symbol.asyncDispose]: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
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
