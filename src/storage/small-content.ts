/** Buffers content that fits in memory, and streams other content. */
import { createHash } from "node:crypto";
import type { Digest } from "./content-file.ts";
import type { Content } from "./contract.ts";

type ChunkIterator = AsyncIterator<Uint8Array, undefined> | Iterator<Uint8Array, undefined>;

/**
 * Passes content to `takeWhole` when it fits in memory, otherwise to `takeChunks`. Always closes its source.
 *
 * @param fits whether so many bytes, which have arrived, may wait for more.
 * @throws what `content` throws.
 */
export async function takeBySize<T>(
  content: Content,
  fits: (size: number) => boolean,
  takeWhole: (pieces: readonly Uint8Array[]) => T | Promise<T>,
  takeChunks: (chunks: AsyncGenerator<Uint8Array, undefined>) => Promise<T>,
): Promise<T> {
  const chunks = iteratorOf(content);
  try {
    const buffered: Uint8Array[] = [];
    const isWhole = await buffer(chunks, buffered, fits);
    return await (isWhole ? takeWhole(buffered) : takeChunks(withRest(buffered, chunks)));
  } finally {
    await chunks.return?.(); // content that was not read to its end may keep a connection
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

/** Buffers pieces while they fit; returns whether that is all of the content. */
async function buffer(
  chunks: ChunkIterator,
  buffered: Uint8Array[],
  fits: (size: number) => boolean,
): Promise<boolean> {
  for (let size = 0; fits(size); ) {
    const next = await chunks.next();
    if (next.done === true) return true;
    if (next.value.length > 0) buffered.push(next.value);
    size += next.value.length;
  }
  return false;
}

/** The buffered pieces, then the rest. A piece is released as it is passed on. */
async function* withRest(buffered: Uint8Array[], rest: ChunkIterator): AsyncGenerator<Uint8Array, undefined> {
  for (let piece = buffered.shift(); piece !== undefined; piece = buffered.shift()) yield piece;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

function iteratorOf(content: Content): ChunkIterator {
  return Symbol.asyncIterator in content ? content[Symbol.asyncIterator]() : content[Symbol.iterator]();
}
