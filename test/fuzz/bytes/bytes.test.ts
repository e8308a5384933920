import { describe, expect, test } from "bun:test";
import { cborTarget } from "./cbor.ts";
import { fuzzTarget } from "./fuzz-target.ts";
import { casesOf, type Target } from "./target.ts";
import { allTargets } from "./targets.ts";

const SEED = 1;
const CASES = 2_000;
const FEWEST_CASES = 300;

const TARGETS = await allTargets();

describe("hostile bytes", () => {
  for (const target of TARGETS)
    test(`as ${target.name} are read as the reference reads them, or refused`, async () => {
      const cases = Math.max(casesOf(target, CASES), FEWEST_CASES);
      const { failures, accepted, outcomes } = await fuzzTarget(target, { cases, seed: SEED });
      expect(failures).toEqual([]);
      expect(accepted).toBeGreaterThan(0); // otherwise the campaign would see only what is refused first
      expect(outcomes).toBeGreaterThan(1);
    });

  test("are the same ones for the same seed", async () => {
    const run = async (seed: number) => {
      const seen: string[] = [];
      const target: Target = {
        ...cborTarget(),
        run: (input) => {
          seen.push(Buffer.from(input).toString("hex"));
          return "seen";
        },
      };
      await fuzzTarget(target, { cases: 200, seed });
      return seen;
    };
    expect(await run(5)).toEqual(await run(5));
    expect(await run(5)).not.toEqual(await run(6));
  });
});
