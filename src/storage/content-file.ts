/** Files of ciphertexts, written and read in pieces, so that many concurrent transfers take little memory. */
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { setImmediate as yieldToEventLoop } from "node:timers/promises";
import { PIECE_BYTES } from "../runtime/sizes.ts";
import { errorCode } from "../runtime/system-errors.ts";
import { type BlobRef, type Content, StorageUnavailable } from "./contract.ts";

/** Size and hash of a ciphertext. */
export type Digest = Pick<BlobRef, "size" | "sha256">;

/**
 * Writes content to an empty file. Yields to the event loop between pieces.
 *
 * @throws StorageUnavailable when the file system refuses; what `content` throws.
 */
export async function writeContent(file: FileHandle, content: Content): Promise<Digest> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of content)
    for (const piece of piecesOf(chunk)) {
      if (size > 0) await yieldToEventLoop();
      hash.update(piece);
      size += piece.length;
      await fileOperation(() => file.writeFile(piece)); // appends
    }
  return { size, sha256: hash.digest("hex") };
}

/**
 * The first `maxBytes` of a file. Yields to the event loop between pieces.
 *
 * @throws StorageUnavailable when the file system refuses.
 */
export async function* readContent(file: FileHandle, maxBytes: number): AsyncGenerator<Uint8Array> {
  for (let position = 0; position < maxBytes; ) {
    if (position > 0) await yieldToEventLoop();
    const buffer = new Uint8Array(Math.min(PIECE_BYTES, maxBytes - position));
    const { bytesRead } = await fileOperation(() => file.read(buffer, 0, buffer.length, position));
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Runs a file operation; what the file system refuses becomes {@link StorageUnavailable}. */
export async function fileOperation<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (errorCode(error) === null || error instanceof StorageUnavailable) throw error;
    throw new StorageUnavailable("a file cannot be used now", { cause: error });
  }
}

/** Splits large chunks, so that hashing one does not block the event loop for long. Leaves out empty ones. */
export function* piecesOf(chunk: Uint8Array): Iterable<Uint8Array> {
  if (chunk.length > PIECE_BYTES)
    for (let start = 0; start < chunk.length; start += PIECE_BYTES)
      yield chunk.subarray(start, start + PIECE_BYTES);
  else if (chunk.length > 0) yield chunk;
}
