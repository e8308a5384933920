import { heapStats } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import { open } from "node:fs/promises";
import { chunksOf } from "../../src/runtime/chunks.ts";
import { writeContent } from "../../src/storage/content-file.ts";

const CHUNK_BYTES = 1_000_003;
const WRITES = 50;

describe("content that is written to a file", () => {
  test("is not held while more of it is waited for", async () => {
    await using file = await open("/dev/null", "w");
    const { promise: rest, resolve: end } = Promise.withResolvers<null>();
    let waiting = 0;
    const stalling = () => {
      let pulls = 0;
      return chunksOf(
        async () => {
          if (pulls++ === 0) return new Uint8Array(CHUNK_BYTES);
          waiting += 1;
          return rest;
        },
        async () => {},
      );
    };
    const before = heldBytes();
    const writes = Array.from({ length: WRITES }, () => writeContent(file, stalling()));
    while (waiting < WRITES) await new Promise(setImmediate);
    expect(heldBytes() - before).toBeLessThan(5 * CHUNK_BYTES);
    end(null);
    for (const { size } of await Promise.all(writes)) expect(size).toBe(CHUNK_BYTES);
  });
});

function heldBytes(): number {
  Bun.gc(true);
  return heapStats().extraMemorySize;
}
