import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { CHANGING } from "../support/campaign-conditions.ts";
import { runBatches } from "./batches.ts";
import { runSequences } from "./sequences.ts";

const SEED = 20260115;
const LIMIT_MS = 600_000;
const runsOn = (driver: string) => (driver === "local" ? 80 : 8);

for (const driver of DRIVERS)
  describe(`several devices on two accounts (${driver.name})`, () => {
    test(
      "get the model's responses to sequential requests",
      async () => {
        const { failures, played } = await runSequences(driver, { runs: runsOn(driver.name), seed: SEED });
        expect(failures.join("\n")).toBe("");
        if (driver.name === "local")
          expect([...(played ?? [])]).toEqual(expect.arrayContaining([...CHANGING]));
      },
      LIMIT_MS,
    );

    test(
      "get the model's responses, in some order, to concurrent requests",
      async () => {
        const { failures, played } = await runBatches(driver, { runs: runsOn(driver.name), seed: SEED });
        expect(failures.join("\n")).toBe("");
        if (driver.name === "local")
          expect([...(played ?? [])]).toEqual(expect.arrayContaining([...CHANGING]));
      },
      LIMIT_MS,
    );
  });
