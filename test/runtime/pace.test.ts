import { expect, test } from "bun:test";
import { createPace } from "../../src/runtime/pace.ts";

test("lets so many pass in a second, evenly, and does not make up for the time in which nobody asked", async () => {
  let nowMs = 1_000;
  const waits: number[] = [];
  const pace = createPace(4, { elapsedMs: () => nowMs }, async (ms) => void waits.push(ms));
  await pace.next();
  await pace.next();
  await pace.next();
  expect(waits).toEqual([250, 500]);
  nowMs = 10_000;
  await pace.next();
  await pace.next();
  expect(waits).toEqual([250, 500, 250]);
});
