/** CPU of each operation beside its floor, and throughput and latency at rising concurrency. */
import type { LoadOperation, LoadResult } from "./load.ts";
import { cpuMs, median, WIDTH } from "./measure.ts";
import { openParts, PART_NAMES, type PartName } from "./parts.ts";
import { runLoad, startBenchService } from "./service.ts";

export interface Cost {
  readonly operation: LoadOperation;
  /** CPU milliseconds of one request; this and the following are medians of the rounds. */
  readonly cpuMs: number;
  /** The parts, each measured alone, and an empty route with the same bodies. */
  readonly floorMs: number;
  /** A route that only does the parts one after the other, under the same load. */
  readonly bareRouteMs: number;
  /** The median of the rounds' ratios, CPU to floor: noise that lasts longer than a round cancels out. */
  readonly ratio: number;
  /** The highest acceptable ratio; `null` if there is none. */
  readonly target: number | null;
  readonly ratioToBareRoute: number;
  /** CPU milliseconds of what the floor is made of, in order. */
  readonly parts: readonly { readonly name: PartName | typeof EMPTY_ROUTE; readonly ms: number }[];
}

/** Medians of the rounds. */
export interface Throughput extends Omit<LoadResult, "requestBytes" | "responseBytes"> {
  /** Its URL; {@link OURS} for the service of this checkout, on the embedded driver. */
  readonly server: string;
  readonly operation: LoadOperation;
  readonly concurrency: number;
  /** Operations a second, relative to ours in the same round. `null` if requests failed, because refusals are fast. */
  readonly ratioToOurs: number | null;
}

export const OURS = "this service";

const BYTES = 4096;
/** Requests of a round, as a fraction of the warm-up: enough to warm up the load generator too, which is a new process. */
const ROUND_FRACTION = 1 / 4;
const ROUNDS = 5;
const THROUGHPUT_COUNT = 300;
const THROUGHPUT_ROUNDS = 3;
const CONCURRENCIES = [1, 8, 32, 64];
const PART_CALLS = 400;
const PART_WARM_UP_CALLS = 4_000;
const EMPTY_ROUTE = "an empty route";

const KEYPAIR_PROOF = ["open a token", "verify P-256"] as const;

const PARTS: readonly {
  operation: keyof typeof WARM_UP_REQUESTS;
  parts: readonly PartName[];
  target: number | null;
}[] = [
  { operation: "challenge", parts: ["make a token"], target: 1.3 },
  { operation: "verify-factor", parts: [...KEYPAIR_PROOF, "locate", "read", "consume"], target: 1.5 },
  { operation: "retrieve-metadata", parts: [...KEYPAIR_PROOF, "locate", "read", "consume"], target: 1.5 },
  {
    operation: "retrieve",
    parts: [...KEYPAIR_PROOF, "locate", "read", "get a blob", "consume and issue"],
    target: 1.5,
  },
  {
    operation: "sync",
    parts: [...KEYPAIR_PROOF, "locate", "put and delete a blob", "read and commit an update"],
    target: 1.5,
  },
  {
    operation: "create",
    parts: [...KEYPAIR_PROOF, ...KEYPAIR_PROOF, "put a blob", "commit a new backup"],
    target: null,
  },
];

export const OPERATIONS = PARTS.map(({ operation }) => operation);

/** The engine keeps optimising a program for more than ten thousand requests. */
const WARM_UP_REQUESTS: Readonly<Record<Exclude<LoadOperation, "transfers">, number>> = {
  floor: 40_000,
  challenge: 40_000,
  "verify-factor": 12_000,
  "retrieve-metadata": 12_000,
  retrieve: 12_000,
  sync: 6_000,
  create: 6_000,
};

/** Sends a service as many requests as it needs to reach its full speed. */
export async function warmUp(url: string, operation: keyof typeof WARM_UP_REQUESTS): Promise<void> {
  await runLoad({ url, operation, count: WARM_UP_REQUESTS[operation], concurrency: WIDTH, bytes: BYTES });
}

/** Measures each operation, the parts of its floor and its bare route alternately, after a warm-up. */
export async function measureCosts(): Promise<Cost[]> {
  await using parts = await openParts(BYTES);
  await using service = await startBenchService();
  await using floor = await startBenchService({ program: "test/bench/floor-server.ts" });
  const alone = (name: PartName, calls: number) => cpuMs(() => parts.perform(name), calls);
  for (const name of PART_NAMES) await alone(name, PART_WARM_UP_CALLS);
  const load = { concurrency: WIDTH, bytes: BYTES };

  /** CPU of a bare route that does these parts, with bodies of the same sizes. */
  async function routeMs(
    names: readonly PartName[],
    { requestBytes, responseBytes }: LoadResult,
    count: number,
  ): Promise<number> {
    const path = `/floor/${responseBytes}/${names.map((name) => PART_NAMES.indexOf(name)).join(",") || "none"}`;
    const result = await runLoad({ ...load, ...floor, operation: "floor", path, count, bytes: requestBytes });
    return result.cpuMs ?? Number.NaN;
  }

  const costs: Cost[] = [];
  for (const { operation, parts: names, target } of PARTS) {
    await warmUp(service.url, operation);
    const count = WARM_UP_REQUESTS[operation] * ROUND_FRACTION;
    const sizes = await runLoad({ ...load, ...service, operation, count });
    for (const route of [[], names]) await routeMs(route, sizes, WARM_UP_REQUESTS[operation]);

    const rounds: { cpu: number; bareRoute: number; floor: number[] }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const { cpuMs: cpu } = await runLoad({ ...load, ...service, operation, count });
      const bareRoute = await routeMs(names, sizes, count);
      const floor = [await routeMs([], sizes, count)];
      for (const name of names) floor.push(await alone(name, PART_CALLS));
      rounds.push({ cpu: cpu ?? Number.NaN, bareRoute, floor });
    }
    costs.push({
      operation,
      cpuMs: median(rounds.map(({ cpu }) => cpu)),
      floorMs: median(rounds.map(({ floor }) => sum(floor))),
      bareRouteMs: median(rounds.map(({ bareRoute }) => bareRoute)),
      ratio: median(rounds.map(({ cpu, floor }) => cpu / sum(floor))),
      target,
      ratioToBareRoute: median(rounds.map(({ cpu, bareRoute }) => cpu / bareRoute)),
      parts: ([EMPTY_ROUTE, ...names] as const).map((name, index) => ({
        name,
        ms: median(rounds.map(({ floor }) => floor[index] ?? Number.NaN)),
      })),
    });
  }
  return costs;
}

/**
 * Sends the same load to one server after the other, in several rounds, so that they can be compared.
 *
 * @param urls servers that speak the same API, measured beside ours.
 */
export async function measureThroughput(urls: readonly string[]): Promise<Throughput[]> {
  await using ours = await startBenchService();
  const others = urls.map((url) => ({ server: url, url, metricsUrl: undefined }));
  const targets = [{ server: OURS, url: ours.url, metricsUrl: ours.metricsUrl }, ...others];
  const rows: Throughput[] = [];
  for (const operation of OPERATIONS) {
    for (const { url } of targets) await warmUp(url, operation);
    for (const concurrency of CONCURRENCIES) {
      const load = { operation, count: THROUGHPUT_COUNT, concurrency, bytes: BYTES };
      const rounds: LoadResult[][] = [];
      for (let round = 0; round < THROUGHPUT_ROUNDS; round++) {
        const results: LoadResult[] = [];
        for (const { url, metricsUrl } of targets) results.push(await runLoad({ ...load, url, metricsUrl }));
        rounds.push(results);
      }
      for (const [index, { server }] of targets.entries())
        rows.push({ server, operation, concurrency, ...throughputOf(rounds, index) });
    }
  }
  return rows;
}

/** @param rounds the results of all targets, ours first. */
export function throughputOf(rounds: readonly (readonly LoadResult[])[], index: number) {
  const own = rounds.flatMap((results) => results[index] ?? []);
  const failures: Record<string, number> = {};
  for (const result of own)
    for (const [status, count] of Object.entries(result.failures))
      failures[status] = (failures[status] ?? 0) + count;
  const hasFailed = rounds.some((results) =>
    [results[0], results[index]].some((result) => Object.keys(result?.failures ?? {}).length > 0),
  );
  const ratios = own.map(({ perSecond }, round) => perSecond / (rounds[round]?.[0]?.perSecond ?? Number.NaN));
  const medianOf = (figure: (result: LoadResult) => number) => median(own.map(figure));
  return {
    perSecond: medianOf(({ perSecond }) => perSecond),
    ratioToOurs: hasFailed ? null : median(ratios),
    p50: medianOf(({ p50 }) => p50),
    p95: medianOf(({ p95 }) => p95),
    p99: medianOf(({ p99 }) => p99),
    cpuMs: own[0]?.cpuMs === null ? null : medianOf(({ cpuMs }) => cpuMs ?? Number.NaN),
    failures,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
