/** Each campaign reports a fault that is planted for it. */
import { describe, expect, test } from "bun:test";
import { runHistoryModel } from "../contract/history-model.ts";
import { runCollections } from "../crash/collections.ts";
import { runCrashPoints } from "../crash/crash-points.ts";
import { runDeliveries } from "../crash/deliveries.ts";
import { runInterleavings } from "../crash/interleavings.ts";
import { OPERATIONS } from "../crash/operations.ts";
import type { Report } from "../crash/report.ts";
import { DRIVERS, type Driver } from "../drivers.ts";
import { runPowerLoss } from "../durability/power-loss.ts";
import { fuzzFields } from "../fuzz/fields.ts";
import { runAdoptionKills } from "../kill/adoption-kills.ts";
import { runImportKills } from "../kill/import-kills.ts";
import { runKills } from "../kill/kills.ts";
import { runPairKills } from "../kill/pair-kills.ts";
import { runBatches } from "../model/batches.ts";
import { runSequences } from "../model/sequences.ts";
import { plantedDriver, plantedEnv } from "./planted-driver.ts";
import type { PlantedFault } from "./planted-stores.ts";

const SEED = 20_261_126;
const LIMIT_MS = 600_000;
const named = (...names: string[]) => OPERATIONS.filter(({ name }) => names.includes(name));

interface Planted {
  readonly campaign: string;
  readonly fault: PlantedFault;
  /** A line of the report has it. */
  readonly reported: RegExp;
  run(driver: Driver): Promise<Report>;
}

const CAMPAIGNS: readonly Planted[] = [
  {
    campaign: "a fault at each store call",
    fault: "consumes no nonces",
    reported: /the change is made, the nonce is not consumed/,
    run: (driver) =>
      runCrashPoints(driver, { operations: named("add-factor"), faults: ["loses its response"] }),
  },
  {
    campaign: "a rival before each store call",
    fault: "overwrites what is newer",
    reported: /the rival's acknowledged change is not stored/,
    run: (driver) => runInterleavings(driver, { operations: named("delete-factor, a sync factor") }),
  },
  {
    campaign: "a collection and an undelete",
    fault: "deletes no ciphertext",
    reported: /no state refers to the ciphertext/,
    run: runCollections,
  },
  {
    campaign: "a fault at each call of a delivery",
    fault: "settles what is claimed",
    reported: /the event is lost|the receiver has not got the event/,
    run: runDeliveries,
  },
  {
    campaign: "processes killed under load",
    fault: "acknowledges too early",
    reported: /BrokenGuarantee|found/,
    run: (driver) => runKills(driver, { kills: 2, seed: SEED, customers: 3 }),
  },
  {
    campaign: "one of two processes killed",
    fault: "makes every other change",
    reported: /found/,
    run: (driver) => runPairKills(driver, { kills: 2, seed: SEED, customers: 3 }),
  },
  {
    campaign: "imports killed",
    fault: "makes every other change",
    reported: /of 12 backups are stored|import ended with 1/,
    run: (driver) => runImportKills(driver, { kills: 1, users: 12, seed: SEED }),
  },
  {
    campaign: "processes killed while they adopt",
    fault: "makes every other change",
    reported: /of 12 backups are stored|import ended with 1|UnexpectedResponse/,
    run: (driver) => runAdoptionKills(driver, { kills: 1, users: 12, seed: SEED }),
  },
  {
    campaign: "requests against the model",
    fault: "consumes no nonces",
    reported: /the model says \{"code":"already_used"\}/,
    run: (driver) => runSequences(driver, { runs: 150, seed: SEED }),
  },
  {
    campaign: "a store's history against the model",
    fault: "keeps no deleted state",
    reported: /the states of b\d/,
    run: (driver) => runHistoryModel(driver, { steps: 60, seed: SEED }),
  },
  {
    campaign: "hostile members",
    fault: "throws for unknown tokens",
    reported: /500|internal_server_error/,
    run: (driver) => fuzzFields(driver, { requests: 1_000, seed: SEED }),
  },
  {
    campaign: "batches at once",
    fault: "overwrites what is newer",
    reported: /no order matches/,
    run: (driver) => runBatches(driver, { runs: 200, seed: SEED }),
  },
];

for (const driver of DRIVERS)
  describe(`a planted fault (${driver.name})`, () => {
    for (const { campaign, fault, reported, run } of CAMPAIGNS)
      test(
        `that a store ${fault} is reported by: ${campaign}`,
        async () => {
          const { failures } = await run(plantedDriver(driver, fault));
          expect(failures.join("\n")).toMatch(reported);
        },
        LIMIT_MS,
      );

    if (driver.name === "local" && process.platform === "linux")
      test(
        "that a store syncs no commit is reported by: power failures, from system calls",
        async () => {
          const { failures } = await runPowerLoss({ users: 1, env: plantedEnv("syncs no commit") });
          expect(failures).not.toEqual([]);
        },
        LIMIT_MS,
      );
  });
