import { heapStats } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import { open } from "node:fs/promises";
import { writeContent } from "../../src/storage/content-file.ts";

const CHUNK_BYTES = 1_000_003;
const CHUNKS = 4;
const WRITES = 50;

describe("content that is written to a file", () => {
  test("is not held but for its last chunk while more of it is waited for", async () => {
    await using file = await open("/dev/null", "w");
    const { promise: rest, resolve: end } = Promise.withResolvers<void>();
    let waiting = 0;
    async function* stalling() {
      for (let chunk = 0; chunk < CHUNKS; chunk++) yield new Uint8Array(CHUNK_BYTES);
      waiting += 1;
      await rest;
    }
    const before = heldBytes();
    const writes = Array.from({ length: WRITES }, () => writeContent(file, stalling()));
    while (waiting < WRITES) await new Promise(setImmediate);
    expect(heldBytes() - before).toBeLessThan((WRITES + 5) * CHUNK_BYTES);
    end();
    for (const { size } of await Promise.all(writes)) expect(size).toBe(CHUNKS * CHUNK_BYTES);
  });
});

function heldBytes(): number {
  Bun.gc(true);
  return heapStats().extraMemorySize;
}
