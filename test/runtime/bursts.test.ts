import { expect, test } from "bun:test";
import { createBursts } from "../../src/runtime/pace.ts";
import { SettableClock } from "../support/settable-clock.ts";

/** When each of `count` items may begin, where `width` of them wait at a time. */
async function startsOf(perSecond: number, count: number, width: number): Promise<number[]> {
  const clock = new SettableClock();
  const { next } = createBursts(perSecond, clock, async (ms) => {
    await new Promise((resolve) => setImmediate(resolve)); // whoever may go on does so before time passes
    clock.advance(ms);
  });
  const starts: number[] = [];
  const worker = async () => {
    while (starts.length < count) {
      await next();
      starts.push(clock.elapsedMs());
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return starts.slice(0, count);
}

/** The most items that begin within any second. */
function mostInASecond(starts: readonly number[]): number {
  return Math.max(...starts.map((from) => starts.filter((at) => at >= from && at < from + 999.9).length));
}

test.each([1, 3, 9, 10, 25, 400])("bursts let %d pass in a second, however many wait", async (perSecond) => {
  for (const width of [1, 16]) {
    const starts = await startsOf(perSecond, 4 * perSecond, width);
    const burst = Math.floor(perSecond / 10); // one may be in a second at its begin and another one at its end
    expect(mostInASecond(starts)).toBeLessThanOrEqual(perSecond + burst);
    expect(starts.at(-1)).toBeLessThan(5_000); // not much slower either
  }
});

test("bursts are followed by pauses of a tenth of a second", async () => {
  const starts = await startsOf(1_000, 1_000, 16);
  expect([...new Set(starts)]).toEqual([0, 100, 200, 300, 400, 500, 600, 700, 800, 900]);
});
