/** CPU of each operation on the aws driver beside the embedded one, and so of a store call, beside a bare signed fetch. */
import { DRIVERS, type Driver } from "../drivers.ts";
import { openBareFetch } from "./bare-fetch.ts";
import type { LoadOperation } from "./load.ts";
import { median, WIDTH } from "./measure.ts";
import { runLoad, startBenchService } from "./service.ts";
import { countStoreCalls } from "./store-calls.ts";

export interface AwsCost {
  readonly operation: LoadOperation;
  /** Size of the backup. */
  readonly bytes: number;
  /** CPU milliseconds of one request; this and the following are medians of the rounds. */
  readonly localMs: number;
  readonly awsMs: number;
  readonly calls: number;
  /** What the aws driver costs more than the embedded one, for each call. */
  readonly callMs: number;
  /** The mean of as many bare calls, of which one has the content where the operation has. */
  readonly bareMs: number;
  /** The median of the rounds' ratios: noise that lasts longer than a round cancels out. */
  readonly ratio: number;
}

/** A store call may cost so many times what a bare one does. */
export const CALL_TARGET = 2;

const ROUNDS = 5;
const BARE_CALLS = 400;
const BARE_WARM_UP_CALLS = 4_000;

/** The operations, and where their content goes. */
const OPERATIONS = {
  "verify-factor": "nowhere",
  retrieve: "received",
  sync: "sent",
  create: "sent",
} as const;
type Measured = keyof typeof OPERATIONS;

/** For each size of backup, the operations measured and how many requests warm up and make a round. */
const SIZES: readonly {
  bytes: number;
  operations: readonly Measured[];
  warmUp: number;
  count: number;
}[] = [
  { bytes: 4096, operations: ["verify-factor", "retrieve", "sync", "create"], warmUp: 2_000, count: 400 },
  { bytes: 4 * 1024 * 1024, operations: ["retrieve", "sync", "create"], warmUp: 48, count: 24 },
];

/** Measures an operation on both drivers and bare calls in turn, all warmed up. */
export async function measureAwsCosts(): Promise<AwsCost[]> {
  const [aws, local] = (["aws", "local"] as const).map(driverOf);
  if (aws === undefined || local === undefined) throw new Error("the section needs both drivers");
  await using bare = await openBareFetch();
  await using onAws = await startBenchService({ driver: aws });
  await using onLocal = await startBenchService({ driver: local });
  const costs: AwsCost[] = [];
  for (const { bytes, operations, warmUp, count } of SIZES) {
    const calls = await countStoreCalls(aws, operations, bytes);
    for (const operation of operations) {
      const load = { operation, concurrency: WIDTH, bytes };
      const run = (service: typeof onAws, requests: number) =>
        runLoad({ ...load, ...service, count: requests });
      const content = OPERATIONS[operation];
      const callCount = calls.get(operation) ?? Number.NaN;
      /** As many bare calls, whose responses take as long as those of the stores did. */
      const bareMs = async (awsP50: number) => {
        const plain = { count: BARE_CALLS, responseMs: awsP50 / callCount, sent: 0, received: 0 };
        const plainMs = await bare.measure(plain);
        if (content === "nowhere") return plainMs;
        const contentMs = await bare.measure({ ...plain, count, [content]: bytes });
        return (plainMs * (callCount - 1) + contentMs) / callCount;
      };
      for (const service of [onLocal, onAws]) await run(service, warmUp);
      await bare.measure({ count: BARE_WARM_UP_CALLS, responseMs: 0, sent: 0, received: 0 });

      const rounds: { local: number; aws: number; call: number; bare: number }[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const local = (await run(onLocal, count)).cpuMs ?? Number.NaN;
        const { cpuMs, p50 } = await run(onAws, count);
        const aws = cpuMs ?? Number.NaN;
        rounds.push({ local, aws, call: (aws - local) / callCount, bare: await bareMs(p50) });
      }
      costs.push({
        operation,
        bytes,
        localMs: median(rounds.map((round) => round.local)),
        awsMs: median(rounds.map((round) => round.aws)),
        calls: callCount,
        callMs: median(rounds.map(({ call }) => call)),
        bareMs: median(rounds.map((round) => round.bare)),
        ratio: median(rounds.map((round) => round.call / round.bare)),
      });
    }
  }
  return costs;
}

function driverOf(name: Driver["name"]): Driver | undefined {
  return DRIVERS.find((driver) => driver.name === name);
}
