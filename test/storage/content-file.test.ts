import { heapStats } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PIECE_BYTES } from "../../src/runtime/sizes.ts";
import { fileOperation, piecesOf, readContent, writeContent } from "../../src/storage/content-file.ts";
import { StorageUnavailable } from "../../src/storage/contract.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

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
    expect(heldBytes() - before).toBeLessThan((CHUNKS / 2) * WRITES * CHUNK_BYTES); // half of all; less is of others
    end();
    for (const { size } of await Promise.all(writes)) expect(size).toBe(CHUNKS * CHUNK_BYTES);
  });
});

describe("the content of a file", () => {
  test("is read in pieces, up to the bytes that are asked for", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "content");
    const content = randomBytes(2 * PIECE_BYTES + 3);
    await writeFile(path, content);
    await using file = await open(path, "r");
    for (const [maxBytes, lengths] of [
      [PIECE_BYTES + 2, [PIECE_BYTES, 2]],
      [PIECE_BYTES, [PIECE_BYTES]],
      [3 * PIECE_BYTES, [PIECE_BYTES, PIECE_BYTES, 3]],
    ] as const) {
      const pieces = await Array.fromAsync(readContent(file, maxBytes));
      expect(pieces.map(({ length }) => length)).toEqual([...lengths]);
      expect(Buffer.concat(pieces).equals(content.subarray(0, maxBytes))).toBe(true);
    }
  });
});

describe("a file operation", () => {
  test("that the file system refuses is an outage, once", async () => {
    const refused = Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
    const attempt = () => fileOperation(() => Promise.reject(refused));
    const outage = await attempt().catch((error: unknown) => error);
    if (!(outage instanceof StorageUnavailable)) throw outage;
    expect(outage.cause).toBe(refused);
    await expect(fileOperation(() => Promise.reject(outage))).rejects.toBe(outage);
  });

  test("that fails for another reason has that reason", async () => {
    const failure = new Error("not of the file system");
    await expect(fileOperation(() => Promise.reject(failure))).rejects.toBe(failure);
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
    for (const rest of [[1], []]) {
      const chunk = randomBytes(2 * PIECE_BYTES + rest.length);
      const pieces = [...piecesOf(chunk)];
      expect(pieces.map(({ length }) => length)).toEqual([PIECE_BYTES, PIECE_BYTES, ...rest]);
      expect(chunk.equals(Buffer.concat(pieces))).toBe(true);
    }
  });
});
