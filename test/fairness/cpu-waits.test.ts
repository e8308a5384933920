import { expect, test } from "bun:test";
import { waitedForCpuMs, waitIn } from "./cpu-waits.ts";

test("the wait for a processor is the second number, in nanoseconds", () => {
  expect(waitIn("703400000 2948000000 17\n")).toBe(2948);
  expect(waitedForCpuMs(process.pid)).toBeGreaterThanOrEqual(0);
});
