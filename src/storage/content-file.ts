/** Files that hold a ciphertext: written and read in pieces, so that many transfers at once take little memory. */
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import { errorCode } from "../runtime/system-errors.ts";
import { BlobDamaged, type BlobRef, type Content, StorageUnavailable } from "./contract.ts";

/** A multiple of 3, so that base64 of a piece needs no padding. */
const PIECE_BYTES = 3 * 32 * 1024;

/** What is learnt of a ciphertext while it is written. */
export type Digest = Pick<BlobRef, "size" | "sha256">;

/**
 * Writes content to the start of an empty file, in turns with whatever else is to be done.
 *
 * @throws StorageUnavailable when the file system refuses; what `content` throws.
 */
export async function writeContent(file: FileHandle, content: Content): Promise<Digest> {
  const hash = createHash("sha256");
  let size = 0;
  async function take(chunk: Uint8Array): Promise<void> {
    for (const piece of piecesOf(chunk)) {
      if (size > 0) await nextTurn();
      hash.update(piece);
      size += piece.length;
      await fileAnswer(() => writeFully(file, piece));
    }
  }
  // What is used in this loop after an await, the engine keeps while the next chunk is waited for.
  for await (const chunk of content) await take(chunk);
  return { size, sha256: hash.digest("hex") };
}

/**
 * Size and hash of a whole file, read in turns with whatever else is to be done.
 *
 * @throws StorageUnavailable when the file system refuses.
 */
export async function digestOf(file: FileHandle): Promise<Digest> {
  const buffer = new Uint8Array(PIECE_BYTES);
  const hash = createHash("sha256");
  for (let size = 0; ; ) {
    const { bytesRead } = await fileAnswer(() => file.read(buffer, 0, buffer.length, size));
    if (bytesRead === 0) return { size, sha256: hash.digest("hex") };
    hash.update(buffer.subarray(0, bytesRead));
    size += bytesRead;
    await nextTurn();
  }
}

/**
 * The first `size` bytes of a file, in turns with whatever else is to be done.
 *
 * @throws StorageUnavailable when the file system refuses, or the file is shorter.
 */
export async function* readContent(file: FileHandle, size: number): AsyncGenerator<Uint8Array> {
  for (let position = 0; position < size; ) {
    if (position > 0) await nextTurn();
    const buffer = new Uint8Array(Math.min(PIECE_BYTES, size - position));
    const { bytesRead } = await fileAnswer(() => file.read(buffer, 0, buffer.length, position));
    if (bytesRead === 0) throw new StorageUnavailable("a blob ended early while it was read");
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** As {@link readContent}; closes the file at the end, at a failure, or when the reader has had enough. */
export function streamContent(file: FileHandle, size: number): ReadableStream<Uint8Array> {
  const pieces = readContent(file, size);
  let left = size;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { value } = await pieces.next();
          if (value !== undefined) controller.enqueue(value);
          left -= value?.length ?? 0;
          if (left > 0) return;
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

/** Pieces that are in memory already, as a stream. It is the runtime's own, which costs half of one made here. */
export function streamOf(pieces: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  return new Blob([...pieces]).stream();
}

/** @throws BlobDamaged when what is stored is not what was put. */
export function requireIntact(ref: BlobRef, { size, sha256 }: Digest): void {
  if (size !== ref.size) throw new BlobDamaged(ref.key, `${size} bytes, not ${ref.size}`);
  if (sha256 !== ref.sha256) throw new BlobDamaged(ref.key, `SHA-256 ${sha256}, not ${ref.sha256}`);
}

/** Runs a file operation; what the file system refuses becomes {@link StorageUnavailable}. */
export async function fileAnswer<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (errorCode(error) === null || error instanceof StorageUnavailable) throw error;
    throw new StorageUnavailable("a file cannot be used now", { cause: error });
  }
}

/** Cuts large chunks, so that hashing one never holds up the event loop for long. */
function* piecesOf(chunk: Uint8Array): Iterable<Uint8Array> {
  for (let start = 0; start < chunk.length; start += PIECE_BYTES)
    yield chunk.subarray(start, start + PIECE_BYTES);
}

async function writeFully(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length; )
    written += (await file.write(bytes, written, bytes.length - written)).bytesWritten;
}
