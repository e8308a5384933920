import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { runHistoryModel } from "./history-model.ts";

for (const driver of DRIVERS)
  describe(`history on ${driver.name}`, () => {
    for (const seed of [1, 2])
      test(`is that of the model after each of many random changes, seed ${seed}`, async () => {
        const steps = { local: 500, aws: 100 }[driver.name];
        const { failures, notes } = await runHistoryModel(driver, { steps, seed });
        expect(failures).toEqual([]);
        for (const name of ["create", "delete, kept", "forget", "collect"])
          expect(notes?.[name]).toBeGreaterThan(0);
      });
  });
