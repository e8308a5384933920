import { expect, test } from "bun:test";
import { concurrently } from "../../src/maintenance/concurrently.ts";

test("checks run concurrently, no more than allowed, and every result is yielded", async () => {
  let running = 0;
  let most = 0;
  const check = async (item: number) => {
    most = Math.max(most, ++running);
    await new Promise<void>((resolve) => setImmediate(resolve));
    running -= 1;
    return item % 3 === 0 ? [] : [item, -item];
  };
  const results = await Array.fromAsync(concurrently(numbers(100), 7, check));
  const expected = [...Array(100).keys()].filter((item) => item % 3 !== 0);
  expect(results.filter((result) => result > 0).sort((a, b) => a - b)).toEqual(expected);
  expect(results).toHaveLength(expected.length * 2);
  expect(most).toBe(7);
});

test("the first check that fails ends it, after those that run", async () => {
  let ended = 0;
  const check = async (item: number) => {
    await new Promise<void>((resolve) => setImmediate(resolve));
    ended += 1;
    if (item >= 5) throw new Error(`item ${item}`);
    return [item];
  };
  await expect(Array.fromAsync(concurrently(numbers(100), 4, check))).rejects.toThrow("item 5");
  expect(ended).toBeLessThan(12);
});

test("what ran beside a check or a listing that fails is yielded before the error", async () => {
  const check = async (item: number) => {
    if (item !== 2) await new Promise<void>((resolve) => setImmediate(resolve));
    if (item === 2) throw new Error("failed");
    return [item];
  };
  async function* failing() {
    yield* [0, 1, 3];
    throw new Error("failed");
  }
  for (const [items, width] of [
    [numbers(4), 4],
    [failing(), 8],
  ] as const) {
    const yielded: number[] = [];
    const reading = async () => {
      for await (const item of concurrently(items, width, check)) yielded.push(item);
    };
    await expect(reading()).rejects.toThrow("failed");
    expect(yielded).toEqual([0, 1, 3]);
  }
});

async function* numbers(count: number): AsyncGenerator<number> {
  for (let number = 0; number < count; number++) yield number;
}
