import { expect, mock, test } from "bun:test";
import { memoise } from "../../src/runtime/memoise.ts";

test("makes a value when it is first asked for, and once", () => {
  const make = mock(() => undefined);
  const value = memoise(make);
  expect(make).toHaveBeenCalledTimes(0);
  expect([value(), value()]).toEqual([undefined, undefined]);
  expect(make).toHaveBeenCalledTimes(1);
});

test("tries again after a failure", () => {
  let calls = 0;
  const value = memoise(() => {
    calls += 1;
    if (calls === 1) throw new Error("not yet");
    return calls;
  });
  expect(value).toThrow("not yet");
  expect([value(), value()]).toEqual([2, 2]);
});

test("tries again after a promise that was rejected", async () => {
  let calls = 0;
  const value = memoise(async () => {
    calls += 1;
    if (calls === 1) throw new Error("not yet");
    return calls;
  });
  const [first, second] = [value(), value()];
  expect(first).rejects.toThrow("not yet");
  expect(second).rejects.toThrow("not yet");
  await Promise.allSettled([first, second]);
  expect(await Promise.all([value(), value()])).toEqual([2, 2]);
});
