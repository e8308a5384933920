/**
 * For how long the event loop is held up while transfers of 15 MiB run, beside a bare server that does nothing else, and
 * by the service's own code when there is no socket.
 */
import { join } from "node:path";
import type { LoadOperation } from "./load.ts";
import { median } from "./measure.ts";
import { ENGINE_ENV, runLoad, startBenchService } from "./service.ts";

export interface Stretches {
  readonly operation: LoadOperation;
  readonly concurrency: number;
  /** The longest turn of the event loop in milliseconds, the median of the rounds: the machine adds some of its own. */
  readonly longestMs: number;
  /** The 99th percentile of the turns that took more than 0.1 ms. */
  readonly p99Ms: number;
  readonly bareLongestMs: number;
  readonly bareP99Ms: number;
  /** The longest turn without a socket, of one transfer at a time; the median of the rounds. */
  readonly ownLongestMs: number | null;
}

const BACKUP_BYTES = 15 * 1024 * 1024;
const BASE64_BYTES = (BACKUP_BYTES / 3) * 4;
const ROUNDS = 7;
const TRANSFERS = 8;

const BARE = {
  create: { path: "/swallow", bytes: BACKUP_BYTES },
  sync: { path: "/swallow", bytes: BACKUP_BYTES },
  retrieve: { path: `/pour/${BASE64_BYTES}`, bytes: 1 },
} as const;

export async function measureStretches(): Promise<Stretches[]> {
  await using service = await startBenchService({ program: "test/bench/probed-service.ts" });
  await using bare = await startBenchService({ program: "test/bench/bare-transfers.ts" });
  const rows: Stretches[] = [];
  for (const operation of ["create", "sync", "retrieve"] as const)
    for (const concurrency of [1, 4]) {
      const load = { count: TRANSFERS, concurrency };
      const of = () =>
        service.longTurnsMs(() => runLoad({ ...load, ...service, operation, bytes: BACKUP_BYTES }));
      const ofBare = () =>
        bare.longTurnsMs(() => runLoad({ ...load, ...bare, operation: "floor", ...BARE[operation] }));
      await of();
      await ofBare();
      const turns: number[][] = [];
      const bareTurns: number[][] = [];
      for (let round = 0; round < ROUNDS; round++) {
        turns.push(await of());
        bareTurns.push(await ofBare());
      }
      rows.push({
        operation,
        concurrency,
        longestMs: median(turns.map(longest)),
        p99Ms: percentile99(turns.flat()),
        bareLongestMs: median(bareTurns.map(longest)),
        bareP99Ms: percentile99(bareTurns.flat()),
        ownLongestMs: concurrency === 1 ? median((await ownTurns(operation)).map(longest)) : null,
      });
    }
  return rows;
}

async function ownTurns(operation: LoadOperation): Promise<number[][]> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "own-transfers.ts"), operation], {
    env: { ...process.env, ...ENGINE_ENV },
    stdout: "pipe",
    stderr: "inherit",
  });
  const turnsMs = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`transfers without a socket failed: ${operation}`);
  return JSON.parse(turnsMs);
}

function longest(turnsMs: readonly number[]): number {
  return Math.max(0, ...turnsMs);
}

function percentile99(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * 0.99)] ?? Number.NaN;
}
