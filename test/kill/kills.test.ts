import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { CHANGING } from "../support/campaign-conditions.ts";
import { runKills } from "./kills.ts";
import { runPairKills } from "./pair-kills.ts";

const LIMIT_MS = 600_000;
/** A run plays the rarest operation seven times or more, so that a second one is hardly ever needed. */
const MAX_RUNS = 5;

for (const driver of DRIVERS)
  describe(`a process that is killed under load (${driver.name})`, () => {
    test(
      "has kept what it acknowledged, and every client can continue",
      async () => {
        let missing = CHANGING;
        for (let seed = 1; seed <= MAX_RUNS && missing.length > 0; seed++) {
          const { failures, played, notes } = await runKills(driver, { kills: 12, seed });
          expect(failures).toEqual([]);
          expect(Number(notes?.acknowledged)).toBeGreaterThan(12);
          missing = missing.filter((path) => !played?.has(path));
        }
        expect(missing).toEqual([]);
      },
      LIMIT_MS,
    );

    test(
      "beside another one has kept what it acknowledged, and the other one goes on",
      async () => {
        const { failures, notes } = await runPairKills(driver, { kills: 5, seed: 2 });
        expect(failures).toEqual([]);
        expect(Number(notes?.acknowledged)).toBeGreaterThan(5);
      },
      LIMIT_MS,
    );
  });
