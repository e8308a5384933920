/** Reads ciphertexts from a store: each byte is read once, and hashed as it passes. */
import { createHash } from "node:crypto";
import { setImmediate as yieldToEventLoop } from "node:timers/promises";
import { type Digest, piecesOf } from "./content-file.ts";
import { BlobDamaged, type BlobRef } from "./contract.ts";

/**
 * The pieces of a ciphertext. The last one is passed on only after size and hash were verified, so that no reader
 * gets all of a damaged ciphertext.
 *
 * @throws BlobDamaged where the pieces are not what `ref` describes; what `pieces` throws.
 */
export async function* verified(ref: BlobRef, pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  let size = 0;
  let last: Uint8Array | null = null;
  for await (const chunk of pieces)
    for (const piece of piecesOf(chunk)) {
      if (piece !== chunk) await yieldToEventLoop(); // hashing a large chunk must not block other work
      size += piece.length;
      if (size > ref.size) throw new BlobDamaged(ref.key, `more than ${ref.size} bytes`);
      hash.update(piece);
      if (last !== null) yield last;
      last = piece;
    }
  requireIntact(ref, { size, sha256: hash.digest("hex") });
  if (last !== null) yield last;
}

/** @throws BlobDamaged when what is stored is not what was put. */
export function requireIntact(ref: BlobRef, { size, sha256 }: Digest): void {
  if (size !== ref.size) throw new BlobDamaged(ref.key, `${size} bytes, not ${ref.size}`);
  if (sha256 !== ref.sha256) throw new BlobDamaged(ref.key, `SHA-256 ${sha256}, not ${ref.sha256}`);
}

/**
 * Pieces as a stream that reads none ahead.
 *
 * @param close frees what the pieces are read from: called at the end, at a failure, or when the stream is cancelled.
 */
export function streamFrom(
  pieces: AsyncIterable<Uint8Array>,
  close: () => Promise<void>,
): ReadableStream<Uint8Array> {
  const iterator = pieces[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const next = await iterator.next();
          if (next.done !== true) return controller.enqueue(next.value);
        } catch (error) {
          await close();
          throw error;
        }
        await close();
        controller.close();
      },
      cancel: close,
    },
    { highWaterMark: 0 },
  );
}

/** Pieces in memory as a stream. The runtime's own stream costs half of one made here. */
export function streamOf(pieces: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  return new Blob([...pieces]).stream();
}
