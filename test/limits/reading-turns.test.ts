import { describe, expect, test } from "bun:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { ReadingTurns } from "../../src/limits/reading-turns.ts";
import { type Chunks, chunksOf } from "../../src/runtime/chunks.ts";

const LONG_MS = 60_000;

/** A body of endless chunks, and whether it is being read or was let go of. */
function body(arrival: () => Promise<unknown> = async () => {}) {
  const state = { reads: 0, isLetGo: false };
  const chunks = chunksOf(
    async () => {
      state.reads += 1;
      await arrival();
      return new Uint8Array(1);
    },
    async () => {
      state.isLetGo = true;
    },
  );
  return { chunks, state };
}

async function someTurns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await nextTurn();
}

/** Begins to read on. */
function begin(chunks: Chunks) {
  const state = { hasArrived: false };
  const reading = chunks.next().then((next) => {
    state.hasArrived = true;
    return next;
  });
  return { reading, state };
}

describe("turns to read", () => {
  test("are as many as there may be, and go on when a chunk was passed on", async () => {
    const turns = new ReadingTurns(2, LONG_MS);
    const bodies = Array.from({ length: 3 }, () => body());
    const [first, second, third] = bodies.map(({ chunks }) => turns.take(chunks));
    await first?.next();
    await second?.next();
    const { reading } = begin(third as Chunks);
    await someTurns();
    expect(bodies.map(({ state }) => state.reads)).toEqual([1, 1, 0]);
    const again = begin(first as Chunks);
    await reading;
    expect(bodies.map(({ state }) => state.reads)).toEqual([1, 1, 1]);
    await someTurns();
    expect(again.state.hasArrived).toBe(false); // it is the last in the row now
    await second?.return();
    await again.reading;
  });

  test("are given away while nothing arrives", async () => {
    const turns = new ReadingTurns(1, LONG_MS);
    const { promise, resolve: arrive } = Promise.withResolvers<void>();
    const dawdling = begin(turns.take(body(() => promise).chunks));
    await turns.take(body().chunks).next();
    expect(dawdling.state.hasArrived).toBe(false);
    arrive();
    expect((await dawdling.reading).value).toEqual(new Uint8Array(1));
  });

  test("come back at the end, at a failure, and when the reader has had enough", async () => {
    const turns = new ReadingTurns(1, LONG_MS);
    const nothing = async () => {};
    expect(await Array.fromAsync(turns.take(chunksOf(async () => null, nothing)))).toEqual([]);
    const broken = turns.take(body(() => Promise.reject(new Error("broke off"))).chunks);
    expect(await broken.next().catch((error) => error.message)).toBe("broke off");
    const { chunks, state } = body();
    const left = turns.take(chunks);
    await left.next();
    await left.return();
    expect(state.isLetGo).toBe(true);
    expect((await turns.take(body().chunks).next()).done).toBe(false);
  });

  test("end by themselves when what was read is not passed on", async () => {
    const turns = new ReadingTurns(1, 10);
    await turns.take(body().chunks).next();
    expect((await turns.take(body().chunks).next()).done).toBe(false);
  });
});
