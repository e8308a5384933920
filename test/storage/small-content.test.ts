import { expect, test } from "bun:test";
import { takeBySize } from "../../src/storage/small-content.ts";

/** Of two pieces, exactly. */
const MAX_BYTES = 8;
const failure = new Error("the disk refuses");

/** Pieces of 4 bytes, and whether their source was released. */
function source(pieces: number) {
  const state = { given: 0, isClosed: false };
  async function* content() {
    try {
      while (state.given < pieces) {
        state.given += 1;
        yield Buffer.alloc(4, state.given);
      }
    } finally {
      state.isClosed = true;
    }
  }
  return { state, content: content() };
}

const take = (content: AsyncIterable<Uint8Array>) =>
  takeBySize<string>(
    content,
    (size) => size <= MAX_BYTES,
    (pieces) => `whole ${Buffer.concat(pieces).toString("hex")}`,
    async (chunks) => `chunks ${Buffer.concat(await Array.fromAsync(chunks)).toString("hex")}`,
  );

const TAKEN = [
  "whole ",
  "whole 01010101",
  "whole 0101010102020202",
  "chunks 010101010202020203030303",
  "chunks 01010101020202020303030304040404",
];
for (const [pieces, taken] of TAKEN.entries())
  test(`content of ${pieces * 4} bytes is taken as ${taken.split(" ", 1)}`, async () => {
    const { content, state } = source(pieces);
    expect(await take(content)).toBe(taken);
    expect(state).toEqual({ given: pieces, isClosed: true });
  });

test("no more is taken from its source than it takes to know that it is large", async () => {
  const { content, state } = source(100);
  await takeBySize(
    content,
    (size) => size <= MAX_BYTES,
    () => expect.unreachable(),
    async (chunks) => {
      expect(state.given).toBe(3);
      await chunks.next();
      expect(state.given).toBe(3);
    },
  );
  expect(state).toEqual({ given: 3, isClosed: true });
});

for (const pieces of [1, 5])
  test(`the source of content of ${pieces * 4} bytes that cannot be stored is released`, async () => {
    const { content, state } = source(pieces);
    const refuse = () => Promise.reject(failure);
    await expect(takeBySize(content, (size) => size <= MAX_BYTES, refuse, refuse)).rejects.toBe(failure);
    expect(state.isClosed).toBe(true);
  });
