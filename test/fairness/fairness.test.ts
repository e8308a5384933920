import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { startService } from "../support/service.ts";
import { Crowd } from "./crowd.ts";
import { runFairness } from "./fairness.ts";

/** A few people beside one hostile client, for seconds. */
const SMALL = { people: 5, pauseMs: 100, attackMs: 2_000, quietMs: 500 };

for (const driver of DRIVERS)
  describe(`honest clients beside a hostile one (${driver.name})`, () => {
    test("are served, and what it took comes back", async () => {
      const attacks = ["flood of bad proofs", "uploads that stall", "recoveries that nobody reads"] as const;
      const { rows, failures } = await runFairness(driver, { ...SMALL, attacks });
      expect(failures).toEqual([]);
      expect(rows.map(({ attack }) => attack)).toEqual([...attacks]);
      for (const { actions } of rows) expect(actions).toBeGreaterThan(0);
    });

    test("that share its limits are found to fail", async () => {
      const attacks = ["creates without end"] as const;
      const env = { TRUSTED_PROXY_HOPS: "0", RATE_LIMIT_ADDRESS_CREATES_PER_HOUR: "4" }; // for all five together
      const { failures } = await runFairness(driver, { ...SMALL, attacks, env });
      expect(failures.join("\n")).toContain("creates without end: create: ");
      expect(failures.join("\n")).toContain("too_many_requests");
    });

    test("are not all that is judged: descriptors that are not closed are found", async () => {
      const attacks = ["flood of status requests"] as const;
      const program = "test/fairness/leaking-service.ts";
      const { failures } = await runFairness(driver, { ...SMALL, attacks, program, settleMs: 1_000 });
      expect(failures.join("\n")).toMatch(/flood of status requests: descriptors is \d+/);
    });
  });

test("the time in which the service had no processor is not that of an action", async () => {
  const [driver] = DRIVERS;
  if (driver === undefined) throw new Error("no driver");
  await using service = await startService(driver);
  let waitedMs = 0;
  const crowd = new Crowd({
    url: service.url,
    people: 1,
    pauseMs: 1,
    waitedForCpuMs() {
      waitedMs += 3_600_000; // an hour in each action
      return waitedMs;
    },
  });
  const { latenciesMs, elapsedMs, failures } = await crowd.liveFor(500);
  expect(failures).toEqual([]);
  expect(elapsedMs.length).toBeGreaterThan(0);
  expect(latenciesMs).toEqual(elapsedMs.map(() => 0));
  expect(elapsedMs.every((ms) => ms > 0)).toBe(true);
});
