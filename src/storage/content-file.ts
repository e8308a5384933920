/** Files of ciphertexts, written and read in pieces, so that many concurrent transfers take little memory. */
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { setImmediate as yieldToEventLoop } from "node:timers/promises";
import { PIECE_BYTES } from "../runtime/sizes.ts";
import { errorCode } from "../runtime/system-errors.ts";
import { type BlobRef, type Content, StorageUnavailable } from "./contract.ts";

/** Size and hash of a ciphertext. */
export type Digest = Pick<BlobRef, "size" | "sha256">;

/** Passes content on once, in pieces, and hashes it on the way. Yields to the event loop between pieces. */
export class HashedContent implements AsyncIterable<Uint8Array> {
  readonly #content: Content;
  readonly #hash = createHash("sha256");
  #size = 0;

  constructor(content: Content) {
    this.#content = content;
  }

  /** @throws what the content throws. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, undefined> {
    for await (const chunk of this.#content)
      for (const piece of piecesOf(chunk)) {
        if (this.#size > 0) await yieldToEventLoop();
        this.#hash.update(piece);
        this.#size += piece.length;
        yield piece;
      }
  }

  /** Of all that was passed on. To be called once. */
  digest(): Digest {
    return { size: this.#size, sha256: this.#hash.digest("hex") };
  }
}

/**
 * Writes content to an empty file.
 *
 * @throws StorageUnavailable when the file system refuses; what `content` throws.
 */
export async function writeContent(file: FileHandle, content: Content): Promise<Digest> {
  const hashed = new HashedContent(content);
  await writePieces(file, hashed);
  return hashed.digest();
}

/** As {@link writeContent}, but hashes nothing. */
export async function writePieces(file: FileHandle, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const piece of pieces) await fileOperation(() => file.writeFile(piece)); // appends
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
