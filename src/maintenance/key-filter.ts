import { sha256 } from "../crypto/encoding.ts";
import type { Random } from "../runtime/clock.ts";

/** Remembers which keys were added, in memory of fixed size. */
export interface KeyFilter {
  add(key: string): void;
  /** `false`: the key was never added. `true`: it was, or, with a small probability, this is a false positive. */
  mayHave(key: string): boolean;
}

const BITS = 2 ** 28;
const BITS_PER_KEY = 8;

/**
 * A Bloom filter of 32 MiB. With ten million keys, about one in fifty thousand others is a false positive. Which ones
 * depends on a random salt, so that no key is one in every filter.
 */
export function createKeyFilter(random: Random): KeyFilter {
  const bits = new Uint8Array(BITS / 8);
  const salt = Buffer.from(random.bytes(16)).toString("hex");

  function positions(key: string): Uint32Array {
    const digest = sha256(`${salt}${key}`);
    return new Uint32Array(digest.buffer.slice(digest.byteOffset, digest.byteOffset + 4 * BITS_PER_KEY));
  }

  return {
    add(key) {
      for (const position of positions(key)) {
        const bit = position % BITS;
        bits[bit >>> 3] = (bits[bit >>> 3] ?? 0) | (1 << (bit & 7));
      }
    },
    mayHave: (key) =>
      positions(key).every((position) => {
        const bit = position % BITS;
        return ((bits[bit >>> 3] ?? 0) & (1 << (bit & 7))) !== 0;
      }),
  };
}
