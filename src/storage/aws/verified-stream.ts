import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import { BlobDamaged, type BlobRef, StorageUnavailable } from "../contract.ts";

/**
 * Passes on the body of an answer whose length was announced as `ref.size`, and holds its last piece back until the
 * hash of the whole is known to be right.
 *
 * The stream fails with {@link BlobDamaged} when it is not, and with {@link StorageUnavailable} when the connection
 * breaks or nothing arrives for `stallMs` while a piece is waited for. A slow reader is no stall.
 */
export function verifiedStream(body: Readable, ref: BlobRef, stallMs: number): ReadableStream<Uint8Array> {
  const pieces: AsyncIterator<Uint8Array> = body[Symbol.asyncIterator]();
  const hash = createHash("sha256");
  let size = 0;
  let held: Uint8Array | null = null;

  async function nextPiece(): Promise<Uint8Array | null> {
    const timer = setTimeout(() => body.destroy(new Error(`nothing arrived for ${stallMs} ms`)), stallMs);
    try {
      const { done, value } = await pieces.next();
      return done ? null : value;
    } catch (error) {
      throw new StorageUnavailable("the connection broke while a blob was read", { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        for (;;) {
          const piece = await nextPiece();
          if (piece === null) {
            checkEnd(ref, size, hash.digest("hex"));
            if (held !== null) controller.enqueue(held);
            controller.close();
            return;
          }
          hash.update(piece);
          size += piece.length;
          const passed = held;
          held = piece;
          if (passed !== null) {
            controller.enqueue(passed);
            return;
          }
        }
      },
      cancel() {
        body.destroy();
      },
    },
    { highWaterMark: 0 },
  );
}

function checkEnd(ref: BlobRef, size: number, sha256: string): void {
  if (size !== ref.size)
    throw new StorageUnavailable("the connection broke while a blob was read", {
      cause: new Error(`${size} of ${ref.size} bytes arrived`),
    });
  if (sha256 !== ref.sha256) throw new BlobDamaged(ref.key, `SHA-256 ${sha256}, not ${ref.sha256}`);
}
