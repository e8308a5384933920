import { heapStats } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { open } from "node:fs/promises";
import { PIECE_BYTES } from "../../src/runtime/sizes.ts";
import { piecesOf, writeContent } from "../../src/storage/content-file.ts";

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

describe("the pieces of a chunk", () => {
  test("are the chunk itself where it is small, so that no other work is waited for", () => {
    const chunk = randomBytes(1_000);
    expect([...piecesOf(chunk)][0]).toBe(chunk);
    expect([...piecesOf(new Uint8Array())]).toEqual([]);
  });

  test("are small ones of a large chunk, and all of it", () => {
    const chunk = randomBytes(2 * PIECE_BYTES + 1);
    const pieces = [...piecesOf(chunk)];
    expect(pieces.map(({ length }) => length)).toEqual([PIECE_BYTES, PIECE_BYTES, 1]);
    expect(chunk.equals(Buffer.concat(pieces))).toBe(true);
  });
});
