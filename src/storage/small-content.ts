/** Content that is taken in as a whole when it is small, and as it comes when it is not. */
import { createHash } from "node:crypto";
import type { Digest } from "./content-file.ts";
import type { Content } from "./contract.ts";

type ChunkIterator = AsyncIterator<Uint8Array, undefined> | Iterator<Uint8Array, undefined>;

/**
 * Hands content to `takeWhole` when it has at most `maxBytes`, otherwise to `takeChunks`. Closes its source in any
 * case.
 *
 * @throws what `content` throws.
 */
export async function takeBySize<T>(
  content: Content,
  maxBytes: number,
  takeWhole: (pieces: readonly Uint8Array[]) => T | Promise<T>,
  takeChunks: (chunks: AsyncGenerator<Uint8Array, undefined>) => Promise<T>,
): Promise<T> {
  const chunks = iteratorOf(content);
  try {
    const held: Uint8Array[] = [];
    const isWhole = await hold(chunks, held, maxBytes);
    return await (isWhole ? takeWhole(held) : takeChunks(thenRest(held, chunks)));
  } finally {
    await chunks.return?.(); // what is not taken in, because the disk refuses, may hold a connection
  }
}

/** Size and hash of pieces that are in memory. */
export function digestOfPieces(pieces: readonly Uint8Array[]): Digest {
  const hash = createHash("sha256");
  let size = 0;
  for (const piece of pieces) {
    hash.update(piece);
    size += piece.length;
  }
  return { size, sha256: hash.digest("hex") };
}

/** Holds pieces until they are all there or too many; returns whether they are all there. */
async function hold(chunks: ChunkIterator, held: Uint8Array[], maxBytes: number): Promise<boolean> {
  for (let size = 0; size <= maxBytes; ) {
    const next = await chunks.next();
    if (next.done === true) return true;
    if (next.value.length > 0) held.push(next.value);
    size += next.value.length;
  }
  return false;
}

/** The held pieces, then the rest. A piece is released as it is passed on. */
async function* thenRest(held: Uint8Array[], rest: ChunkIterator): AsyncGenerator<Uint8Array, undefined> {
  for (let piece = held.shift(); piece !== undefined; piece = held.shift()) yield piece;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

function iteratorOf(content: Content): ChunkIterator {
  return Symbol.asyncIterator in content ? content[Symbol.asyncIterator]() : content[Symbol.iterator]();
}
