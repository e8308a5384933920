import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { growthOf, runSoak } from "./soak.ts";

const SMALL = { ms: 4_000, minActions: 100, owners: 5, pauseMs: 100, seed: 1 };

for (const driver of DRIVERS)
  describe(`owners for a long time (${driver.name})`, () => {
    test("make nothing grow that should not", async () => {
      const { failures, actions, refused, delivered } = await runSoak(driver, SMALL);
      expect(failures).toEqual([]);
      expect(actions).toBeGreaterThanOrEqual(SMALL.minActions);
      if (driver.name === "local") expect(refused).toBeGreaterThan(0); // the other driver retries most faults
      expect(delivered).toBeGreaterThanOrEqual(SMALL.owners); // each backup was created
    });

    test("show descriptors that are not closed", async () => {
      const { failures } = await runSoak(driver, {
        ...SMALL,
        program: "test/fairness/leaking-service.ts",
        settleMs: 1_000,
      });
      expect(failures.join("\n")).toMatch(/descriptors grew by \d+/);
    });
  });

test("growth is that of the line, whatever the noise", () => {
  expect(growthOf([5, 5, 5, 5])).toBe(0);
  expect(growthOf([0, 1, 2, 3])).toBe(3);
  expect(growthOf([1, 0, 3, 2, 5, 4])).toBeCloseTo(4.14, 1);
  expect(growthOf([3, 2, 1])).toBe(-2);
});
