/**
 * `bun run prove`: the fault, model, fuzz and durability campaigns at full size. Ends with one table, and exits with 1
 * on any failure. `SEED` repeats a run.
 */
import { runHistoryModel } from "./contract/history-model.ts";
import { runCollections } from "./crash/collections.ts";
import { runCrashPoints } from "./crash/crash-points.ts";
import { runDeliveries } from "./crash/deliveries.ts";
import { runInterleavings } from "./crash/interleavings.ts";
import type { Report } from "./crash/report.ts";
import { DRIVERS, type Driver } from "./drivers.ts";
import { runPowerLoss } from "./durability/power-loss.ts";
import { fuzzBytes } from "./fuzz/bytes/campaign.ts";
import { fuzzFields } from "./fuzz/fields.ts";
import { fuzzRaw } from "./fuzz/raw.ts";
import { runAdoptionKills } from "./kill/adoption-kills.ts";
import { runImportKills } from "./kill/import-kills.ts";
import { runKills } from "./kill/kills.ts";
import { runPairKills } from "./kill/pair-kills.ts";
import { runLinearizability } from "./linearizability/linearizability.ts";
import { runBatches } from "./model/batches.ts";
import { runSequences } from "./model/sequences.ts";
import { runModelChecker } from "./model-checker/model-checker.ts";
import { givenSeed } from "./support/seed.ts";
import { C_COMPILER, GO, requireProgram, SPIN, STRACE } from "./support/system-packages.ts";

interface Campaign {
  readonly name: string;
  /** `null` if the campaign does not apply to the driver or to this system. */
  run(driver: Driver, seed: number): Promise<Report> | null;
}

// sized for about an hour on two cores, both drivers together
const EVERY_KIND = { everyKind: true };
const PAIR_KILLS = { local: 30, aws: 20 };
const KILLS = { local: 200, aws: 40 };
const MOVES = { kills: 12, users: 40 };
const USERS = 10;
const SEQUENCES = { local: 1_000, aws: 60 };
const BATCHES = { local: 2_000, aws: 120 };
const FIELDS = { local: 30_000, aws: 6_000 };
const RAW_ROUNDS = 60;
/** Of each parser; a twentieth where a case is a call of a store, or where an operator writes what is read. */
const BYTES = 1_000_000;
const ROUNDS = { local: 17, aws: 7 };
const HISTORY_STEPS = { local: 8_000, aws: 400 };

const CAMPAIGNS: readonly Campaign[] = [
  {
    name: "the commit protocol in a model checker",
    run: (driver) => (driver === DRIVERS[0] ? runModelChecker() : null), // the protocol is that of all drivers
  },
  { name: "a fault at each store call", run: (driver) => runCrashPoints(driver, EVERY_KIND) },
  {
    name: "a rival before each store call",
    run: (driver) => runInterleavings(driver, EVERY_KIND),
  },
  { name: "a collection and an undelete", run: (driver) => runCollections(driver) },
  { name: "a fault at each call of a delivery", run: (driver) => runDeliveries(driver) },
  {
    name: "processes killed under load",
    run: (driver, seed) => runKills(driver, { kills: KILLS[driver.name], seed }),
  },
  {
    name: "histories under kills, in Porcupine",
    run: (driver, seed) => runLinearizability(driver, { rounds: ROUNDS[driver.name], seed }),
  },
  {
    name: "one of two processes killed",
    run: (driver, seed) => runPairKills(driver, { kills: PAIR_KILLS[driver.name], seed }),
  },
  {
    name: "imports killed",
    run: (driver, seed) => runImportKills(driver, { ...MOVES, seed }),
  },
  {
    name: "processes killed while they adopt",
    run: (driver, seed) => runAdoptionKills(driver, { ...MOVES, seed }),
  },
  {
    name: "power failures, from system calls",
    run: (driver) => (seesSystemCalls(driver) ? runPowerLoss({ users: USERS }) : null),
  },
  {
    name: "requests against the model",
    run: (driver, seed) => runSequences(driver, { runs: SEQUENCES[driver.name], seed }),
  },
  {
    name: "a store's history against the model",
    run: (driver, seed) => runHistoryModel(driver, { steps: HISTORY_STEPS[driver.name], seed }),
  },
  {
    name: "batches at once",
    run: (driver, seed) => runBatches(driver, { runs: BATCHES[driver.name], seed }),
  },
  {
    name: "hostile members",
    run: (driver, seed) => fuzzFields(driver, { requests: FIELDS[driver.name], seed }),
  },
  {
    name: "hostile bytes",
    run: (driver, seed) => (driver.name === "local" ? fuzzBytes({ cases: BYTES, seed }) : null),
  },
  {
    name: "broken HTTP",
    run: (driver, seed) => (driver.name === "local" ? fuzzRaw(driver, { rounds: RAW_ROUNDS, seed }) : null),
  },
];

const seed = givenSeed() ?? Math.floor(Math.random() * 2 ** 31);
const rows: Record<string, string | number>[] = [];
const failures: string[] = [];

// better now than after some campaigns
for (const program of [SPIN, C_COMPILER, GO]) await requireProgram(program);
if (DRIVERS.some(seesSystemCalls)) await requireProgram(STRACE);
process.stdout.write(`SEED=${seed}\n`);
for (const driver of DRIVERS)
  for (const { name, run } of CAMPAIGNS) {
    const startedMs = performance.now();
    const running = run(driver, seed);
    if (running === null) continue;
    const report = await running.catch(abandoned);
    const { cases, notes = {} } = report;
    const found = report.failures.length;
    const more = Object.entries(notes).map(([note, value]) => `${note}: ${value}`);
    const seconds = Math.round((performance.now() - startedMs) / 1000);
    rows.push({
      driver: driver.name,
      campaign: name,
      cases,
      failures: found,
      seconds,
      more: more.join(", "),
    });
    failures.push(...report.failures.map((failure) => `${driver.name}, ${name}: ${failure}`));
    process.stdout.write(`${driver.name}, ${name}: ${cases} cases, ${found} failures, ${seconds} s\n`);
  }

process.stdout.write(`\n${Bun.inspect.table(rows)}\n`);
for (const failure of failures) process.stdout.write(`${failure}\n`);
process.exit(failures.length === 0 ? 0 : 1);

/** The others go on, so that one run shows all that fails. */
function abandoned(error: unknown): Report {
  return { cases: 0, failures: [`the campaign ended early: ${Bun.inspect(error)}`] };
}

function seesSystemCalls({ name }: Driver): boolean {
  return name === "local" && process.platform === "linux";
}
