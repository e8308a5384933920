import { expect, test } from "bun:test";
import { within } from "../../src/runtime/within.ts";

const MINUTE_MS = 60_000;

test("resolves to the result of a promise, or to null if there is none in time", async () => {
  expect(await within(MINUTE_MS, Promise.resolve("anything"))).toBe("anything");
  expect(await within(1, Promise.withResolvers().promise)).toBeNull();
});

test("rejects as the promise does", async () => {
  const failure = new Error("no");
  await expect(within(MINUTE_MS, Promise.reject(failure))).rejects.toBe(failure);
});
