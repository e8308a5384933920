/** Owners for a long time at a moderate load, with faults of stores and network: nothing that ends may accumulate. */
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import { startBenchService } from "../bench/service.ts";
import type { Driver, Stores } from "../drivers.ts";
import { startStoreProxies } from "../kill/store-proxies.ts";
import { pseudoRandom } from "../support/pseudo-random.ts";
import { unreferencedBlobs } from "./fairness.ts";
import { oneTimeRows } from "./one-time-rows.ts";
import { Owner } from "./owner.ts";
import { resourcesOf, settled, temporaryFolderOfService } from "./resources.ts";

export interface SoakOptions {
  readonly ms: number;
  readonly owners: number;
  /** The mean pause of an owner between two actions. */
  readonly pauseMs: number;
  readonly seed: number;
  /** How long what was taken has to come back; long enough if not given. */
  readonly settleMs?: number;
  /** Another program than the service. */
  readonly program?: string;
}

export interface SoakReport {
  readonly actions: number;
  /** Actions that the service or the network refused. Only faults of stores may cause that. */
  readonly refused: number;
  /** Nonces and tokens. They are deleted in the hours after they expired. */
  readonly oneTimeRows: number;
  /** By measure: at the middle and at the end, and what a line through the second half grows. */
  readonly measures: readonly {
    readonly measure: Measure;
    readonly middle: number;
    readonly end: number;
    readonly growth: number;
  }[];
  readonly failures: readonly string[];
}

/** What is sampled, and what it may grow within the second half. */
const MAX_GROWTH = {
  rssMiB: 64,
  descriptors: 32,
  temporaryFiles: 4,
  backups: 0,
  deletedStates: 0,
  indexRows: 0,
  /** Content and versions: their number is bounded for each backup, which has as many after a few updates. */
  blobsOfBackups: 4,
  eventsWaiting: 4,
} as const;

type Measure = keyof typeof MAX_GROWTH;

const MEASURES: readonly Measure[] = [
  "rssMiB",
  "descriptors",
  "temporaryFiles",
  "backups",
  "deletedStates",
  "indexRows",
  "blobsOfBackups",
  "eventsWaiting",
];
/** Of a recovery: its nonce, and the token for the new device. */
const MAX_ONE_TIME_ROWS_PER_ACTION = 2;
/** Of the creation: the nonces of both factors. */
const MAX_ONE_TIME_ROWS_PER_OWNER = 2;
const SAMPLES = 40;
const LARGE_EVERY = 5;
const BYTES = { small: 4 * 1024, large: 512 * 1024 };

export async function runSoak(driver: Driver, options: SoakOptions): Promise<SoakReport> {
  const { ms, owners, pauseMs, seed, settleMs, program } = options;
  await using folder = await temporaryFolderOfService();
  await using storage = await driver.environment();
  await using proxies = await startStoreProxies(storage.env);
  await using service = await startBenchService({
    ...(program === undefined ? {} : { program }),
    env: { ...proxies.env, TMPDIR: folder.path, RATE_LIMITS: "true" },
  });
  await using stores = await storage.open({ clock: systemClock, random: systemRandom });
  const observed = { ...service, temporaryFolder: folder.path };
  const random = pseudoRandom(seed);
  const all = Array.from({ length: owners }, (_, n) => {
    const bytes = n % LARGE_EVERY === 0 ? BYTES.large : BYTES.small;
    return new Owner({ url: service.url, address: `10.1.${n >> 8}.${n & 255}`, bytes, random });
  });
  for (const owner of all) await owner.create();
  const idle = await resourcesOf(observed);
  const hasFaults = driver.name === "aws"; // the other driver has its stores in the process
  proxies.disturb(random);

  const endsAtMs = performance.now() + ms;
  const failures: string[] = [];
  const samples: Record<Measure, number>[] = [];
  let actions = 0;
  let refused = 0;
  const living = all.map(async (owner) => {
    for (; performance.now() < endsAtMs; await Bun.sleep(Math.random() * 2 * pauseMs)) {
      actions++;
      try {
        await owner.act();
      } catch (error) {
        refused++;
        if (!hasFaults || String(error).includes("LOST")) failures.push(String(error));
      }
    }
  });
  for (; performance.now() < endsAtMs; await Bun.sleep(ms / SAMPLES))
    samples.push({ ...(await resourcesOf(observed)), ...(await stored(stores)) });
  await Promise.all(living);

  proxies.calm();
  for (const owner of all) await owner.check().catch((error) => failures.push(`at last: ${error}`));
  failures.push(...(await settled(observed, idle, driver.name, settleMs)).kept);
  if (!hasFaults) failures.push(...(await unreferencedBlobs(stores))); // with faults some are left to the doctor
  const rows = await oneTimeRows(storage.env);
  const maxRows = (actions + owners) * MAX_ONE_TIME_ROWS_PER_ACTION + owners * MAX_ONE_TIME_ROWS_PER_OWNER; // each owner checks at last
  if (rows > maxRows) failures.push(`there are ${rows} nonces and tokens after ${actions} actions`);
  const measures = MEASURES.map((measure) => measured(measure, samples));
  for (const { measure, growth } of measures)
    if (!(growth <= MAX_GROWTH[measure])) failures.push(`${measure} grew by ${growth.toFixed(1)}`);
  return {
    actions,
    refused,
    oneTimeRows: rows,
    measures,
    failures: failures.map((failure) => `${driver.name}, soak: ${failure}`),
  };
}

async function stored({ records }: Stores) {
  let [backups, deletedStates, indexRows, blobsOfBackups] = [0, 0, 0, 0];
  for await (const { blobs } of records.list()) {
    backups++;
    blobsOfBackups += blobs.length;
  }
  for await (const _deleted of records.listDeleted()) deletedStates++;
  for await (const _row of records.listFactors()) indexRows++;
  const { waiting: eventsWaiting } = await records.outbox.backlog();
  return { backups, deletedStates, indexRows, blobsOfBackups, eventsWaiting };
}

function measured(measure: Measure, samples: readonly Readonly<Record<Measure, number>>[]) {
  const values = samples.map((sample) => sample[measure]);
  const half = values.slice(Math.floor(values.length / 2));
  return { measure, middle: half[0] ?? Number.NaN, end: half.at(-1) ?? Number.NaN, growth: growthOf(half) };
}

/** What the line through equidistant values grows from the first to the last (least squares). */
export function growthOf(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  let products = 0;
  let squares = 0;
  for (const [index, value] of values.entries()) {
    products += (index - middle) * (value - mean);
    squares += (index - middle) ** 2;
  }
  return (products / squares) * (values.length - 1);
}
