/**
 * Owners for a long time at a moderate load, with faults of stores and network and a webhook receiver that is down now and
 * then: nothing that ends may accumulate.
 */
import { collectLeftovers } from "../../src/maintenance/leftovers.ts";
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import { startBenchService } from "../bench/service.ts";
import type { Driver, Stores } from "../drivers.ts";
import { startStoreProxies } from "../kill/store-proxies.ts";
import { pseudoRandom } from "../support/pseudo-random.ts";
import { unreferencedBlobs } from "./fairness.ts";
import { faultsIn } from "./faulty-stores.ts";
import { oneTimeRows } from "./one-time-rows.ts";
import { Owner } from "./owner.ts";
import { resourcesOf, settled, temporaryFolderOfService } from "./resources.ts";
import { startWebhookReceiver } from "./webhook-receiver.ts";

export interface SoakOptions {
  readonly ms: number;
  /** It goes on after that time until there were so many actions, unless something fails. */
  readonly minActions?: number;
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
  /** Actions that the service or the network refused, as faults of stores make them. */
  readonly refused: number;
  /** Events that the webhook receiver has taken. */
  readonly delivered: number;
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
  /** But for those of the connections to stores. */
  descriptors: 32,
  /** They stay open for a while. There are as many as were needed at once, up to the limits of the clients. */
  storeConnections: Number.POSITIVE_INFINITY,
  temporaryFiles: 4,
  /** Some are deleted or reset at any time; how many there are in the end is exact. */
  backups: 4,
  deletedStates: 4,
  indexRows: 16,
  /** Content and versions: their number is bounded for each backup, which has as many after a few updates. */
  blobsOfBackups: 24,
  /** They wait while the receiver is down, and longer for each attempt. In the end none may be late. */
  eventsWaiting: Number.POSITIVE_INFINITY,
} as const;

type Measure = keyof typeof MAX_GROWTH;

const MEASURES: readonly Measure[] = [
  "rssMiB",
  "descriptors",
  "storeConnections",
  "temporaryFiles",
  "backups",
  "deletedStates",
  "indexRows",
  "blobsOfBackups",
  "eventsWaiting",
];
/** Of a deletion that is undone: the nonces of both, of a recovery with its token for the device, and of the device. */
const MAX_ONE_TIME_ROWS_PER_ACTION = 5;
/** A main factor and a device. */
const FACTORS = 2;
/** Of the creation: the nonces of both factors. */
const MAX_ONE_TIME_ROWS_PER_OWNER = 2;
/** The content, and two versions and one of the day before. */
const MAX_BLOBS_PER_BACKUP = 4;
/** The receiver is down for this part of the time, then up for as long, and so on. */
const RECEIVER_PART = 1 / 12;
const MAX_RECEIVER_DOWN_MS = 20_000;
/** Longer than the service waits for a commit. */
const COMMIT_DELAY_MS = 8_000;
/** Commits are that late for so long at the end of each minute. */
const LATE_COMMITS_MS = 8_000;
const MINUTE_MS = 60_000;
/** What a reset leaves, and each event whose attempts have failed, is due by then. */
const ALL_DUE_AFTER_MS = 2 * 60 * 60 * 1000;
const DRAINED_AFTER_MS = 120_000;
const MAX_EVENTS = 100_000;
const SAMPLES = 40;
const LARGE_EVERY = 5;
const BYTES = { small: 4 * 1024, large: 512 * 1024 };

export async function runSoak(driver: Driver, options: SoakOptions): Promise<SoakReport> {
  const { ms, minActions = 0, owners, pauseMs, seed, settleMs, program } = options;
  await using folder = await temporaryFolderOfService();
  await using storage = await driver.environment();
  await using proxies = await startStoreProxies(storage.env);
  await using receiver = startWebhookReceiver();
  await using folderOfFaults = await temporaryFolderOfService();
  const faults = driver.name === "local" ? faultsIn(folderOfFaults.path) : null; // the proxies have those of the other
  await using service = await startBenchService({
    ...(program === undefined ? {} : { program }),
    env: {
      ...proxies.env,
      ...receiver.env,
      ...faults?.env,
      TMPDIR: folder.path,
      RATE_LIMITS: "true",
      RATE_LIMIT_BACKUP_DESTRUCTIONS_PER_HOUR: "100000", // owners delete more often than people
      RATE_LIMIT_ADDRESS_CREATES_PER_HOUR: "100000",
    },
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
  proxies.disturb(random);
  const startedAtMs = performance.now();
  const areCommitsLate = () => (performance.now() - startedAtMs) % MINUTE_MS >= MINUTE_MS - LATE_COMMITS_MS;
  proxies.delayCommits(COMMIT_DELAY_MS, areCommitsLate);
  await faults?.disturb();
  receiver.fail(Math.min(ms * RECEIVER_PART, MAX_RECEIVER_DOWN_MS));

  const endsAtMs = performance.now() + ms;
  const failures: string[] = [];
  const samples: Record<Measure, number>[] = [];
  let actions = 0;
  let refused = 0;
  const isOver = () => performance.now() >= endsAtMs && (actions >= minActions || failures.length > 0);
  const sample = async () => {
    const { connections } = proxies;
    const resources = await resourcesOf(observed);
    const descriptors = resources.descriptors - connections;
    return { ...resources, descriptors, storeConnections: connections, ...(await stored(stores)) };
  };
  const living = all.map(async (owner) => {
    for (; !isOver(); await Bun.sleep(Math.random() * 2 * pauseMs)) {
      actions++;
      try {
        await owner.act();
      } catch (error) {
        refused++;
        if (!String(error).includes("LOST")) continue;
        failures.push(String(error));
        return; // it would be lost again and again
      }
    }
  });
  for (; !isOver(); await Bun.sleep(ms / SAMPLES)) samples.push(await sample());
  await Promise.all(living);

  await proxies.calm();
  await faults?.calm();
  receiver.recover();
  for (const owner of all)
    await owner
      .putRight()
      .then(() => owner.check())
      .catch((error) => failures.push(`at last: ${error}`));
  failures.push(...(await settled(observed, idle, driver.name, settleMs)).kept);
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + ALL_DUE_AFTER_MS };
  await using later = await storage.open({ clock, random: systemRandom });
  failures.push(...(await leftBy(stores, later, owners, refused)));
  const rows = await oneTimeRows(storage.env);
  const maxRows = (actions + owners) * MAX_ONE_TIME_ROWS_PER_ACTION + owners * MAX_ONE_TIME_ROWS_PER_OWNER; // each owner checks at last
  if (rows > maxRows) failures.push(`there are ${rows} nonces and tokens after ${actions} actions`);
  const measures = MEASURES.map((measure) => measured(measure, samples));
  for (const { measure, growth } of measures)
    if (!(growth <= MAX_GROWTH[measure])) failures.push(`${measure} grew by ${growth.toFixed(1)}`);
  return {
    actions,
    refused,
    delivered: receiver.taken,
    oneTimeRows: rows,
    measures,
    failures: failures.map((failure) => `${driver.name}, soak: ${failure}`),
  };
}

/** What is stored that should not be, once all is put right. */
async function leftBy(stores: Stores, later: Stores, owners: number, refused: number): Promise<string[]> {
  let events = await undelivered(stores, later);
  for (const endsAtMs = performance.now() + DRAINED_AFTER_MS; performance.now() < endsAtMs; ) {
    if (events.late + events.neverDue === 0) break;
    await Bun.sleep(200);
    events = await undelivered(stores, later);
  }
  const { backups, deletedStates, indexRows, blobsOfBackups } = await stored(stores);
  await collectLeftovers(later);
  let leftovers = 0;
  for await (const { kept } of stores.records.listDeleted()) if (kept === null) leftovers++;
  const unreferenced = await unreferencedBlobs(stores);
  const left = {
    backups: backups - owners,
    "deleted states": deletedStates,
    leftovers,
    "index rows": indexRows - owners * FACTORS,
    "blobs of backups": Math.max(0, blobsOfBackups - owners * MAX_BLOBS_PER_BACKUP),
    "late events": events.late,
    "events that are never due": events.neverDue,
    // a fault may lose the deletion of one, which the sweep or the doctor makes up for
    "unreferenced blobs": Math.max(0, unreferenced - refused),
  };
  return Object.entries(left).flatMap(([what, count]) =>
    count === 0 ? [] : [`${count} ${what} too many in the end`],
  );
}

/** Events that should be on their way, and those that wait for an attempt that never comes. */
async function undelivered(now: Stores, later: Stores) {
  const late = await now.records.outbox.due(MAX_EVENTS);
  const dueLater = await later.records.outbox.due(MAX_EVENTS);
  const { waiting } = await now.records.outbox.backlog();
  return { late: late.length, neverDue: Math.max(0, waiting - dueLater.length) };
}

async function stored({ records }: Stores) {
  let [backups, deletedStates, indexRows, blobsOfBackups] = [0, 0, 0, 0];
  for await (const { blobs } of records.list()) {
    backups++;
    blobsOfBackups += blobs.length;
  }
  for await (const { kept } of records.listDeleted()) if (kept !== null) deletedStates++;
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
