/** Whether honest clients are served beside a hostile one, and whether the service is as before afterwards. */
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import { startBenchService } from "../bench/service.ts";
import type { Driver, Stores } from "../drivers.ts";
import { startAttacker } from "./attacker.ts";
import type { AttackName } from "./attacks.ts";
import { waitedForCpuMs } from "./cpu-waits.ts";
import { type Actions, Crowd } from "./crowd.ts";
import { type Resources, resourcesOf, settled, temporaryFolderOfService, watchPeak } from "./resources.ts";

export interface FairnessOptions {
  readonly attacks: readonly AttackName[];
  readonly people: number;
  readonly pauseMs: number;
  /** How long each attack goes on. */
  readonly attackMs: number;
  /** How long people are by themselves before each attack. */
  readonly quietMs: number;
  /** How long what was taken has to come back; long enough if not given. */
  readonly settleMs?: number;
  /** Another program than the service, and more variables for it. */
  readonly program?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly onRow?: (row: FairnessRow) => void;
}

export interface FairnessRow {
  readonly attack: AttackName;
  /** What became of the requests or connections of the attacker. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly actions: number;
  readonly failures: number;
  /** As in {@link Actions}. */
  readonly latenciesMs: readonly number[];
  readonly elapsedMs: readonly number[];
  readonly peakMiB: number;
  readonly after: Resources;
}

export interface FairnessReport {
  readonly rows: readonly FairnessRow[];
  /** Of all the time without an attack. */
  readonly quiet: Pick<Actions, "latenciesMs" | "elapsedMs">;
  readonly failures: readonly string[];
}

export async function runFairness(driver: Driver, options: FairnessOptions): Promise<FairnessReport> {
  const { attacks, people, pauseMs, attackMs, quietMs, settleMs, onRow } = options;
  await using folder = await temporaryFolderOfService();
  await using storage = await driver.environment();
  await using service = await startBenchService({
    ...(options.program === undefined ? {} : { program: options.program }),
    env: {
      ...storage.env,
      TMPDIR: folder.path,
      RATE_LIMITS: "true",
      MAX_IN_FLIGHT_ANSWER_BYTES: String(4096 * 1024 ** 2), // as by default
      ...options.env,
    },
  });
  const observed = { ...service, temporaryFolder: folder.path };
  const crowd = new Crowd({
    url: service.url,
    people,
    pauseMs,
    waitedForCpuMs: () => waitedForCpuMs(service.pid),
  });
  const rows: FairnessRow[] = [];
  const quiet = { latenciesMs: [] as number[], elapsedMs: [] as number[] };
  const failures: string[] = [];

  function judge(phase: string, actions: Actions, kept: readonly string[]): void {
    failures.push(...[...actions.failures, ...kept].map((failure) => `${driver.name}, ${phase}: ${failure}`));
  }

  await crowd.liveFor(quietMs); // the first requests of a process are slower
  const idle = await resourcesOf(observed);
  for (const [index, attack] of attacks.entries()) {
    const address = `203.0.113.${index + 1}`; // one attack does not use up the limits of another
    const alone = await crowd.liveFor(quietMs);
    judge(`before ${attack}`, alone, []);
    quiet.latenciesMs.push(...alone.latenciesMs);
    quiet.elapsedMs.push(...alone.elapsedMs);

    await using peak = watchPeak(observed);
    await using attacker = await startAttacker({ url: service.url, address, attack });
    const beside = await crowd.liveFor(attackMs);
    const outcomes = await attacker.stop();
    const { resources, kept } = await settled(observed, idle, driver.name, settleMs);
    judge(attack, beside, kept);
    const row = {
      attack,
      outcomes,
      actions: beside.latenciesMs.length + beside.failures.length,
      failures: beside.failures.length,
      latenciesMs: beside.latenciesMs,
      elapsedMs: beside.elapsedMs,
      peakMiB: peak.peakMiB,
      after: resources,
    };
    rows.push(row);
    onRow?.(row);
  }
  await using stores = await storage.open({ clock: systemClock, random: systemRandom });
  const unreferenced = await unreferencedBlobs(stores);
  if (unreferenced > 0) failures.push(`${driver.name}: ${unreferenced} blobs belong to no backup`);
  return { rows, quiet, failures };
}

/** How many blobs no backup refers to. Nothing is written any more, and no process was killed. */
export async function unreferencedBlobs(stores: Stores): Promise<number> {
  const referenced = new Set<string>();
  for await (const { blobs } of stores.records.list()) for (const { key } of blobs) referenced.add(key);
  for await (const { blobs } of stores.records.listDeleted())
    for (const { key } of blobs) referenced.add(key);
  let count = 0;
  for await (const { key } of stores.blobs.list()) if (!referenced.has(key)) count++;
  return count;
}

/** The value below which `part` of the latencies are. */
export function percentile(latenciesMs: readonly number[], part: number): number {
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * part)] ?? Number.NaN;
}
