import { describe, expect, test } from "bun:test";
import { withBody } from "../../src/storage/aws/object-body.ts";

describe("a body that is passed to a sender", () => {
  function pieces(failure: Error | null = null) {
    const state = { ended: false };
    async function* read() {
      try {
        for (let piece = 0; piece < 100; piece++) {
          await new Promise(setImmediate);
          if (piece === 3 && failure !== null) throw failure;
          yield Buffer.alloc(100_000);
        }
      } finally {
        await new Promise(setImmediate);
        state.ended = true;
      }
    }
    return { state, read };
  }

  test("is read no more when the sender has failed", async () => {
    const { state, read } = pieces();
    const failure = new Error("no connection");
    const sent = withBody(read(), async (body) => {
      await body[Symbol.asyncIterator]().next();
      throw failure;
    });
    await expect(sent).rejects.toBe(failure);
    expect(state.ended).toBe(true);
  });

  test("is read no more when the sender has enough, and may go unread", async () => {
    const { state, read } = pieces();
    await withBody(read(), async (body) => body[Symbol.asyncIterator]().next());
    expect(state.ended).toBe(true);
    expect(await withBody(read(), async () => "sent")).toBe("sent");
  });

  test("fails the sending when it cannot be read, also where the sender does not notice", async () => {
    const failure = new Error("the disk is broken");
    const { read } = pieces(failure);
    const sent = withBody(read(), (body) => {
      body.resume();
      return new Promise(() => {});
    });
    await expect(sent).rejects.toBe(failure);
  });
});
