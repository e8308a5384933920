/**
 * How long transfers of 15 MiB block the event loop: of the service, of a bare server that does nothing else, and of the
 * service without a socket.
 */
import { join } from "node:path";
import type { LoadOperation } from "./load.ts";
import { median } from "./measure.ts";
import { ENGINE_ENV, runLoad, startBenchService } from "./service.ts";

export interface Blocking {
  readonly operation: LoadOperation;
  readonly concurrency: number;
  /** The longest iteration of the event loop in milliseconds, the median of the rounds because of the machine's noise. */
  readonly longestMs: number;
  /** The 99th percentile of the iterations of more than 0.1 ms. */
  readonly p99Ms: number;
  readonly bareLongestMs: number;
  readonly bareP99Ms: number;
  /** The longest iteration without a socket, with one transfer at a time; the median of the rounds. */
  readonly ownLongestMs: number | null;
}

const BACKUP_BYTES = 15 * 1024 * 1024;
const BASE64_BYTES = (BACKUP_BYTES / 3) * 4;
const ROUNDS = 7;
const TRANSFERS = 8;

const BARE = {
  create: { path: "/receive", bytes: BACKUP_BYTES },
  sync: { path: "/receive", bytes: BACKUP_BYTES },
  retrieve: { path: `/send/${BASE64_BYTES}`, bytes: 1 },
} as const;

export async function measureBlocking(): Promise<Blocking[]> {
  await using service = await startBenchService({ program: "test/bench/probed-service.ts" });
  await using bare = await startBenchService({ program: "test/bench/bare-transfers.ts" });
  const rows: Blocking[] = [];
  for (const operation of ["create", "sync", "retrieve"] as const)
    for (const concurrency of [1, 4]) {
      const load = { count: TRANSFERS, concurrency };
      const of = () =>
        service.longIterationsMs(() => runLoad({ ...load, ...service, operation, bytes: BACKUP_BYTES }));
      const ofBare = () =>
        bare.longIterationsMs(() => runLoad({ ...load, ...bare, operation: "floor", ...BARE[operation] }));
      await of();
      await ofBare();
      const iterations: number[][] = [];
      const bareIterations: number[][] = [];
      for (let round = 0; round < ROUNDS; round++) {
        iterations.push(await of());
        bareIterations.push(await ofBare());
      }
      rows.push({
        operation,
        concurrency,
        longestMs: median(iterations.map(longest)),
        p99Ms: percentile99(iterations.flat()),
        bareLongestMs: median(bareIterations.map(longest)),
        bareP99Ms: percentile99(bareIterations.flat()),
        ownLongestMs: concurrency === 1 ? median((await ownIterations(operation)).map(longest)) : null,
      });
    }
  return rows;
}

async function ownIterations(operation: LoadOperation): Promise<number[][]> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "own-transfers.ts"), operation], {
    env: { ...process.env, ...ENGINE_ENV },
    stdout: "pipe",
    stderr: "inherit",
  });
  const iterationsMs = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`transfers without a socket failed: ${operation}`);
  return JSON.parse(iterationsMs);
}

function longest(iterationsMs: readonly number[]): number {
  return Math.max(0, ...iterationsMs);
}

function percentile99(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * 0.99)] ?? Number.NaN;
}
