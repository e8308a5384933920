/** CPU of each operation beside its floor, and throughput and latency at rising concurrency. */
import { measureParts, type PartName, type Parts } from "./floor.ts";
import type { LoadOperation, LoadResult } from "./load.ts";
import { runLoad, startBenchService } from "./service.ts";

export interface Cost {
  readonly operation: LoadOperation;
  readonly cpuMs: number;
  readonly floorMs: number;
  readonly ratio: number;
  /** The ratio to stay below, where there is one. */
  readonly target: number | null;
}

export interface Throughput extends LoadResult {
  readonly operation: LoadOperation;
  readonly concurrency: number;
}

const BYTES = 4096;
const COUNT = 1_000;
const CONCURRENCY = 8;

const PARTS: readonly { operation: LoadOperation; parts: readonly PartName[]; target: number | null }[] = [
  { operation: "challenge", parts: ["make a token"], target: 1.3 },
  {
    operation: "verify-factor",
    parts: ["open a token", "verify P-256", "locate", "read", "spend"],
    target: 1.5,
  },
  {
    operation: "retrieve-metadata",
    parts: ["open a token", "verify P-256", "locate", "read", "spend"],
    target: 1.5,
  },
  {
    operation: "retrieve",
    parts: ["open a token", "verify P-256", "locate", "read", "get a blob", "spend"],
    target: 1.5,
  },
  {
    operation: "sync",
    parts: ["open a token", "verify P-256", "locate", "read", "put a blob", "commit"],
    target: 1.5,
  },
  {
    operation: "create",
    parts: ["open a token", "verify P-256", "open a token", "verify P-256", "put a blob", "commit"],
    target: null,
  },
];

export const OPERATIONS: readonly LoadOperation[] = PARTS.map(({ operation }) => operation);

/** A program gets faster for some ten thousand requests, while the engine compiles it. */
const WARM_UP_REQUESTS: Readonly<Record<LoadOperation, number>> = {
  empty: 20_000,
  challenge: 20_000,
  "verify-factor": 8_000,
  "retrieve-metadata": 8_000,
  retrieve: 8_000,
  sync: 4_000,
  create: 4_000,
};

export async function warmUp(url: string, operation: LoadOperation, answerBytes = 0): Promise<void> {
  await runLoad({
    url,
    operation,
    count: WARM_UP_REQUESTS[operation],
    concurrency: CONCURRENCY,
    bytes: BYTES,
    answerBytes,
  });
}

/** Warms the service up with one run and measures the next. */
export async function measureCosts(): Promise<{ readonly parts: Parts; readonly costs: readonly Cost[] }> {
  const parts = await measureParts(BYTES);
  await using service = await startBenchService();
  await using floor = await startBenchService({ program: "test/bench/floor-server.ts" });
  const costs: Cost[] = [];
  for (const { operation, parts: names, target } of PARTS) {
    const options = { operation, count: COUNT, concurrency: CONCURRENCY, bytes: BYTES };
    await runLoad({ ...options, url: service.url });
    const measured = await runLoad({ ...options, url: service.url, metricsUrl: service.metricsUrl });
    const empty = {
      ...options,
      operation: "empty" as const,
      bytes: measured.requestBytes,
      answerBytes: measured.responseBytes,
      url: floor.url,
    };
    await runLoad(empty);
    const { cpuMs: emptyMs } = await runLoad({ ...empty, metricsUrl: floor.metricsUrl });
    const floorMs = (emptyMs ?? 0) + names.reduce((sum, name) => sum + parts[name], 0);
    const cpuMs = measured.cpuMs ?? Number.NaN;
    costs.push({ operation, cpuMs, floorMs, ratio: cpuMs / floorMs, target });
  }
  return { parts, costs };
}

/** @param url another server that speaks the same API, instead of one of ours. */
export async function measureThroughput(url?: string): Promise<Throughput[]> {
  const rows: Throughput[] = [];
  await using service = url === undefined ? await startBenchService() : null;
  const target = service === null ? { url: url ?? "" } : { url: service.url, metricsUrl: service.metricsUrl };
  for (const operation of OPERATIONS)
    for (const concurrency of [1, 8, 32]) {
      const result = await runLoad({ ...target, operation, count: COUNT / 2, concurrency, bytes: BYTES });
      rows.push({ ...result, operation, concurrency });
    }
  return rows;
}
