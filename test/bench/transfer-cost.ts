/**
 * CPU of uploads and downloads by size, on each driver, beside a bare server that hashes the same bytes and passes them on,
 * and on the aws driver beside the embedded one.
 */
import { DRIVERS, type Driver, type DriverName } from "../drivers.ts";
import type { LoadResult } from "./load.ts";
import { median, WIDTH } from "./measure.ts";
import { type BenchService, runLoad, startBenchService } from "./service.ts";

export interface TransferCost {
  readonly driver: DriverName;
  readonly operation: Transfer;
  /** Size of the backup. */
  readonly bytes: number;
  /** CPU milliseconds of one request; this and the following are medians of the rounds. */
  readonly cpuMs: number;
  readonly bareMs: number;
  /** The median of the rounds' ratios: noise that lasts longer than a round cancels out. */
  readonly toBare: number;
  readonly bareTarget: number | null;
  /** `null` for the embedded driver, and where it was not measured. */
  readonly toEmbedded: number | null;
  readonly embeddedTarget: number | null;
}

export type Transfer = "create" | "sync" | "retrieve";

const ROUNDS = 5;
const SMALL_WARM_UP = 1_000;
const KIB = 1024;
const MIB = 1024 * KIB;
const OPERATIONS: readonly Transfer[] = ["create", "sync", "retrieve"];

/** For each size of backup, how many requests warm up and make a round, and the targets. */
const SIZES: readonly {
  bytes: number;
  warmUp: number;
  count: number;
  bareTarget: number | null;
  embeddedTarget: number | null;
}[] = [
  // what the content costs is little here: costs and aws-costs have the targets
  { bytes: 4 * KIB, warmUp: 200, count: 200, bareTarget: null, embeddedTarget: null },
  { bytes: 4 * MIB, warmUp: 32, count: 16, bareTarget: 1.5, embeddedTarget: 1.3 },
  { bytes: 15 * MIB, warmUp: 16, count: 8, bareTarget: 1.5, embeddedTarget: null },
];

/** Measures the service and the bare server of each driver in turn, all warmed up. */
export async function measureTransferCosts(): Promise<TransferCost[]> {
  const costs: TransferCost[] = [];
  for (const { bytes, warmUp, count, bareTarget, embeddedTarget } of SIZES)
    for (const operation of OPERATIONS) {
      await using pairs = await startPairs(DRIVERS, bytes);
      const load = { concurrency: WIDTH, bytes };
      const run = async ({ service }: Pair, requests: number, size = bytes) =>
        cpuOf(await runLoad({ ...load, ...service, operation, bytes: size, count: requests }));
      const runBare = async ({ bare, stored }: Pair, requests: number) => {
        const isDownload = operation === "retrieve";
        const path = isDownload ? `/download/${stored}` : "/upload";
        const sent = isDownload ? 1 : bytes;
        return cpuOf(
          await runLoad({ ...load, ...bare, operation: "floor", path, bytes: sent, count: requests }),
        );
      };
      for (const pair of pairs.all) {
        await run(pair, SMALL_WARM_UP, 4 * KIB); // the engine optimises what runs often, which large requests do not
        await run(pair, warmUp);
        await runBare(pair, warmUp);
      }
      const rounds: Round[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const measured = new Map<DriverName, { cpuMs: number; bareMs: number }>();
        for (const pair of pairs.all)
          measured.set(pair.driver, { cpuMs: await run(pair, count), bareMs: await runBare(pair, count) });
        rounds.push(measured);
      }
      for (const { driver } of pairs.all) {
        const of = (figure: (own: { cpuMs: number; bareMs: number }) => number) =>
          median(rounds.map((round) => figure(measuredOf(round, driver))));
        const isCompared = driver === "aws" && operation !== "retrieve" && rounds[0]?.has("local") === true;
        costs.push({
          driver,
          operation,
          bytes,
          cpuMs: of(({ cpuMs }) => cpuMs),
          bareMs: of(({ bareMs }) => bareMs),
          toBare: of(({ cpuMs, bareMs }) => cpuMs / bareMs),
          bareTarget,
          toEmbedded: isCompared
            ? median(
                rounds.map((round) => measuredOf(round, driver).cpuMs / measuredOf(round, "local").cpuMs),
              )
            : null,
          embeddedTarget: isCompared ? embeddedTarget : null,
        });
      }
    }
  return costs;
}

/** What the requests of a round have cost each, by driver. */
type Round = ReadonlyMap<DriverName, { readonly cpuMs: number; readonly bareMs: number }>;

function measuredOf(round: Round, driver: DriverName): { readonly cpuMs: number; readonly bareMs: number } {
  return round.get(driver) ?? { cpuMs: Number.NaN, bareMs: Number.NaN };
}

function cpuOf({ cpuMs, failures }: LoadResult): number {
  if (Object.keys(failures).length > 0) throw new Error(`requests failed: ${JSON.stringify(failures)}`);
  return cpuMs ?? Number.NaN;
}

interface Pair {
  readonly driver: DriverName;
  readonly service: BenchService;
  readonly bare: BenchService;
  /** The name of a content that the bare server has. */
  readonly stored: string;
}

async function startPairs(drivers: readonly Driver[], bytes: number) {
  await using started = new AsyncDisposableStack();
  const all: Pair[] = [];
  for (const driver of drivers) {
    const service = started.use(await startBenchService({ driver }));
    const bare = started.use(await startBenchService({ driver, program: "test/bench/bare-content.ts" }));
    const response = await fetch(`${bare.url}/upload`, { method: "POST", body: new Uint8Array(bytes) });
    all.push({ driver: driver.name, service, bare, stored: await response.text() });
  }
  const resources = started.move();
  return { all, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}
