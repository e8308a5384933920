/** Compares the CPU time of each operation of two services, in one run. */
import { OPERATIONS, warmUp } from "./cost.ts";
import type { LoadOperation } from "./load.ts";
import { median, WIDTH } from "./measure.ts";
import { type BenchService, runLoad, startBenchService } from "./service.ts";

export interface Comparison {
  readonly operation: LoadOperation;
  /** CPU milliseconds of one request, the median of the rounds. */
  readonly beforeMs: number;
  readonly afterMs: number;
  /** The median of the rounds' ratios, after to before: noise that lasts longer than a round cancels out. */
  readonly ratio: number;
}

const ROUNDS = 5;
const LOAD = { count: 1_000, concurrency: WIDTH, bytes: 4096 };

/** @param before the folder of another checkout of this project, with its dependencies installed. */
export async function compareWith(before: string): Promise<Comparison[]> {
  await using then = await startBenchService({ root: before });
  await using now = await startBenchService();
  return await compare(then, now);
}

/** What it costs to trace every request. */
export async function compareTracing(): Promise<Comparison[]> {
  using receiver = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => new Response(`${(await request.bytes()).length}`),
  });
  await using off = await startBenchService();
  await using on = await startBenchService({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url.href } });
  return await compare(off, on);
}

async function compare(then: BenchService, now: BenchService): Promise<Comparison[]> {
  const comparisons: Comparison[] = [];
  for (const operation of OPERATIONS) {
    for (const { url } of [then, now]) await warmUp(url, operation);
    const rounds: { beforeMs: number; afterMs: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const { cpuMs: beforeMs } = await runLoad({ ...LOAD, operation, ...then });
      const { cpuMs: afterMs } = await runLoad({ ...LOAD, operation, ...now });
      rounds.push({ beforeMs: beforeMs ?? Number.NaN, afterMs: afterMs ?? Number.NaN });
    }
    comparisons.push({
      operation,
      beforeMs: median(rounds.map((round) => round.beforeMs)),
      afterMs: median(rounds.map((round) => round.afterMs)),
      ratio: median(rounds.map((round) => round.afterMs / round.beforeMs)),
    });
  }
  return comparisons;
}
