import { describe, expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { PIECE_BYTES } from "../../src/runtime/sizes.ts";
import { BlobDamaged } from "../../src/storage/contract.ts";
import { streamFrom, verified } from "../../src/storage/verified-content.ts";

const MIB = 1024 * 1024;

function refOf(content: Uint8Array) {
  return { key: "k", size: content.length, sha256: createHash("sha256").update(content).digest("hex") };
}

async function* later(...pieces: Uint8Array[]) {
  yield* pieces;
}

/** What a reader gets until it learns that the ciphertext is damaged. */
async function servedOf(pieces: AsyncIterable<Uint8Array>): Promise<number> {
  let served = 0;
  try {
    for await (const piece of pieces) served += piece.length;
  } catch (error) {
    expect(error).toBeInstanceOf(BlobDamaged);
    return served;
  }
  throw new Error("it was read to its end");
}

describe("a ciphertext that is verified while it is read", () => {
  test("comes as it is, in pieces of any size", async () => {
    const content = randomBytes(300_000);
    for (const pieces of [
      [content],
      [content.subarray(0, 1), new Uint8Array(), content.subarray(1)],
      [content.subarray(0, 299_999), content.subarray(299_999), new Uint8Array()],
    ])
      expect(
        content.equals(Buffer.concat(await Array.fromAsync(verified(refOf(content), later(...pieces))))),
      ).toBe(true);
    expect(await Array.fromAsync(verified(refOf(new Uint8Array()), later()))).toEqual([]);
  });

  test("is never passed on as a whole where it is damaged, also when an empty piece follows its last byte", async () => {
    const content = randomBytes(200);
    const [first, second] = [content.subarray(0, 100), content.subarray(100)];
    const damaged = randomBytes(100);
    expect(await servedOf(verified(refOf(content), later(first, damaged, new Uint8Array())))).toBe(100);
    expect(await servedOf(verified(refOf(content), later(damaged)))).toBe(0);
    expect(await servedOf(verified(refOf(content), later(first, second, Buffer.alloc(1))))).toBe(100);
    expect(await servedOf(verified(refOf(content), later()))).toBe(0);
  });

  test("is not read further once it is too long", async () => {
    let read = 0;
    async function* endless() {
      for (;;) {
        read += 1;
        yield new Uint8Array(100);
      }
    }
    await servedOf(verified(refOf(new Uint8Array(250)), endless()));
    expect(read).toBe(3);
  });

  test("yields to the event loop between the pieces of a large chunk", async () => {
    let iterations = 0;
    let timer = setImmediate(function count() {
      iterations++;
      timer = setImmediate(count);
    });
    const content = new Uint8Array(2 * MIB);
    for await (const piece of verified(refOf(content), later(content)))
      expect(piece.length).toBeLessThanOrEqual(PIECE_BYTES);
    clearImmediate(timer);
    expect(iterations).toBeGreaterThanOrEqual(content.length / PIECE_BYTES - 1);
  });
});

describe("pieces as a stream", () => {
  function fixture(pieces: AsyncIterable<Uint8Array>) {
    const state = { closed: 0 };
    const close = async () => void state.closed++;
    return { state, reader: streamFrom(pieces, close).getReader() };
  }

  test("are not read before they are asked for, and what they come from is closed at the end", async () => {
    let read = 0;
    async function* pieces() {
      for (read = 1; read < 3; read++) yield Uint8Array.of(read);
    }
    const { state, reader } = fixture(pieces());
    await new Promise(setImmediate);
    expect(read).toBe(0);
    expect((await reader.read()).value).toEqual(Uint8Array.of(1));
    expect([read, state.closed]).toEqual([1, 0]);
    await reader.read();
    expect((await reader.read()).done).toBe(true);
    expect(state.closed).toBe(1);
  });

  test("close their source when they fail, and when they are cancelled", async () => {
    async function* failing() {
      yield Uint8Array.of(1);
      throw new Error("the disk is broken");
    }
    const { state, reader } = fixture(failing());
    await reader.read();
    await expect(reader.read()).rejects.toThrow("the disk is broken");
    expect(state.closed).toBe(1);
    const unwanted = fixture(later(Uint8Array.of(1)));
    await unwanted.reader.cancel();
    expect(unwanted.state.closed).toBe(1);
  });
});
