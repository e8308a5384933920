/** What the first requests of a fresh process cost: nothing is compiled, and no connection to a store is open. */
import type { Driver } from "../drivers.ts";
import { TEST_CHALLENGE_TOKEN_KEYS } from "../support/service.ts";
import { addressOf, type LoadOperation, prepareRequests } from "./load.ts";
import { median } from "./measure.ts";
import { type BenchService, startBenchService } from "./service.ts";

export interface FirstRequests {
  readonly driver: Driver["name"];
  readonly operation: LoadOperation;
  /** Milliseconds until the response, one request at a time; medians of the processes. */
  readonly firstMs: number;
  /** Means of the 2nd to 10th and of the 11th to 100th request. */
  readonly nextNineMs: number;
  readonly nextNinetyMs: number;
  /** The median of the last hundred requests. */
  readonly laterMs: number;
}

const OPERATIONS = ["challenge", "verify-factor", "retrieve-metadata", "retrieve", "sync", "create"] as const;
const PROCESSES = 3;
const REQUESTS = 600;
const BYTES = 4096;

/** Prepares requests with one process, and sends them to a fresh one on the same storage. */
export async function measureFirstRequests(driver: Driver): Promise<FirstRequests[]> {
  const rows: FirstRequests[] = [];
  for (const operation of OPERATIONS) {
    const runs: number[][] = [];
    for (let n = 0; n < PROCESSES; n++) runs.push(await latenciesOf(driver, operation));
    const of = (figure: (latencies: readonly number[]) => number) => median(runs.map(figure));
    rows.push({
      driver: driver.name,
      operation,
      firstMs: of(([first]) => first ?? Number.NaN),
      nextNineMs: of((all) => mean(all.slice(1, 10))),
      nextNinetyMs: of((all) => mean(all.slice(10, 100))),
      laterMs: of((all) => median(all.slice(-100))),
    });
  }
  return rows;
}

async function latenciesOf(driver: Driver, operation: LoadOperation): Promise<number[]> {
  await using storage = await driver.environment();
  const env = { ...storage.env, CHALLENGE_TOKEN_KEYS: TEST_CHALLENGE_TOKEN_KEYS };
  const onStorage = {
    ...driver,
    environment: async () => ({ ...storage, env, [Symbol.asyncDispose]: async () => {} }),
  };
  const load = { operation, count: REQUESTS, concurrency: 1, bytes: BYTES };
  const requests = await withService(onStorage, ({ url }) => prepareRequests({ ...load, url }));
  return await withService(onStorage, async ({ url }) => {
    const latencies: number[] = [];
    for (const [index, { path, body, contentType }] of requests.entries()) {
      const startedMs = performance.now();
      const response = await fetch(url + path, {
        method: "POST",
        body: new Uint8Array(Buffer.from(body)),
        headers: { "content-type": contentType, "x-forwarded-for": addressOf(index) },
      });
      const text = await response.text();
      latencies.push(performance.now() - startedMs);
      if (!response.ok) throw new Error(`${operation} was refused: ${text}`);
    }
    return latencies;
  });
}

async function withService<T>(driver: Driver, work: (service: BenchService) => Promise<T>): Promise<T> {
  await using service = await startBenchService({ driver });
  return await work(service);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
