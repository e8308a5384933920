/**
 * `bun run bench`: what the service costs. Prints tables and leaves JSON and plots in `bench-results/`. Figures of one run
 * compare with each other, not with those of other runs or machines.
 *
 *   bun run bench                     everything; `--only costs --only transfers` takes these sections alone
 *   bun run bench --url URL           throughput beside that of another server that speaks the same API, or of several
 *   bun run bench --against FOLDER    what changed since another checkout of this project, as ratios of CPU time
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { DRIVERS, type Driver } from "../drivers.ts";
import { CALL_TARGET, measureAwsCosts } from "./aws-cost.ts";
import { measureAwsUnits } from "./aws-units.ts";
import { type Comparison, compareTracing, compareWith } from "./compare.ts";
import { type Cost, measureCosts, measureThroughput, OURS } from "./cost.ts";
import { measureCryptoSteps } from "./crypto-steps.ts";
import { measureDoctor } from "./doctor.ts";
import { measureBlocking } from "./event-loop-blocking.ts";
import { measureFirstRequests } from "./first-requests.ts";
import { measureGrowth } from "./growth.ts";
import { median } from "./measure.ts";
import { KEYPAIR_STEP, type PartName } from "./parts.ts";
import { barChart } from "./plot.ts";
import { measureRoundTrips, ROUND_TRIP_LIMITS } from "./round-trips.ts";
import { startBenchService } from "./service.ts";
import { measureTransferCosts } from "./transfer-cost.ts";
import { measureTransfers } from "./transfers.ts";

const DELAY_MS = 20;
const STARTS = 5;
const DOCTOR_BACKUPS = 50_000;
const TRANSFER_WIDTHS = [64, 128, 256];
const RESULTS = join(import.meta.dir, "../../bench-results");

const SECTIONS: Readonly<Record<string, () => Promise<void>>> = {
  "round-trips": roundTrips,
  "start-up": startUp,
  "first-requests": firstRequests,
  costs,
  "aws-costs": awsCosts,
  "transfer-costs": transferCosts,
  "tracing-costs": tracingCosts,
  throughput: () => throughput(),
  blocking,
  growth,
  doctor,
  transfers: async () => {
    for (const driver of DRIVERS) await transfers(driver);
  },
};

const { values } = parseArgs({
  options: {
    url: { type: "string", multiple: true },
    against: { type: "string" },
    only: { type: "string", multiple: true },
  },
});
await mkdir(RESULTS, { recursive: true });
if (values.against !== undefined) await comparison(values.against);
else if (values.url !== undefined) await throughput(values.url);
else for (const name of values.only ?? Object.keys(SECTIONS)) await section(name)();
process.stdout.write(`\nJSON and plots are in ${RESULTS}\n`);

function section(name: string): () => Promise<void> {
  const found = SECTIONS[name];
  if (found === undefined) throw new Error(`--only takes one of ${Object.keys(SECTIONS).join(", ")}`);
  return found;
}

async function roundTrips(): Promise<void> {
  for (const driver of DRIVERS) {
    const rows = await measureRoundTrips(driver, DELAY_MS);
    await show(
      `Round trips to the stores, one after the other, ${driver.name} (each call takes ${DELAY_MS} ms longer)`,
      `round-trips-${driver.name}`,
      rows.map(({ operation, sequential, elapsedMs, calls }) => ({
        operation,
        "round trips": sequential,
        limit: ROUND_TRIP_LIMITS[operation],
        ms: Math.round(elapsedMs),
        calls: calls.join(" "),
      })),
    );
  }
}

async function doctor(): Promise<void> {
  const { backups, seconds, cpuSeconds, peakMiB } = await measureDoctor(DOCTOR_BACKUPS);
  await show("A doctor that checks a data folder, embedded driver", "doctor", [
    {
      backups,
      seconds: rounded(seconds),
      "CPU seconds": rounded(cpuSeconds),
      "CPU ms a backup": rounded((cpuSeconds * 1000) / backups),
      "peak MiB": rounded(peakMiB),
    },
  ]);
}

async function startUp(): Promise<void> {
  const times: number[] = [];
  for (let n = 0; n < STARTS; n++) {
    await using service = await startBenchService();
    times.push(service.firstAnswerMs);
  }
  await show("Start of the process to its first answer, embedded driver", "start-up", [
    {
      "fastest ms": rounded(Math.min(...times)),
      "median ms": rounded(median(times)),
      "target ms": 300,
    },
  ]);
}

async function firstRequests(): Promise<void> {
  for (const driver of DRIVERS) {
    const rows = await measureFirstRequests(driver);
    await show(
      `The first requests of a fresh process at 4 KiB, one at a time, ${driver.name}`,
      `first-requests-${driver.name}`,
      rows.map(({ operation, firstMs, nextNineMs, nextNinetyMs, laterMs }) => ({
        operation,
        "first ms": rounded(firstMs),
        "2nd to 10th ms": rounded(nextNineMs),
        "11th to 100th ms": rounded(nextNinetyMs),
        "later ms": rounded(laterMs),
      })),
    );
  }
}

async function costs(): Promise<void> {
  const costs = await measureCosts();
  await show(
    "CPU of an operation at 4 KiB beside its floor, the sum of its parts, and beside a bare route that does the same parts",
    "costs",
    costs.map(({ operation, cpuMs, floorMs, ratio, target, bareRouteMs, ratioToBareRoute }) => ({
      operation,
      "CPU ms": rounded(cpuMs),
      "floor ms": rounded(floorMs),
      "to floor": rounded(ratio),
      target: target ?? "–",
      met: target === null ? "–" : ratio <= target ? "yes" : "NO",
      "bare route ms": rounded(bareRouteMs),
      "to bare route": rounded(ratioToBareRoute),
    })),
  );
  await show(
    "What the floor is made of: each part measured alone, and its share of the operation that contains it",
    "parts",
    costs.flatMap(({ operation, cpuMs, parts }) =>
      parts.map(({ name, ms }) => ({ operation, part: name, ms: rounded(ms), share: percent(ms / cpuMs) })),
    ),
  );
  const keypairProof = costs.find(({ operation }) => operation === "verify-factor");
  const steps = await measureCryptoSteps();
  await show(
    "Proofs of other kinds, and what verify-factor costs with them",
    "crypto-steps",
    steps.map(({ step, ms }) => {
      const others = (keypairProof?.cpuMs ?? Number.NaN) - partMs(keypairProof, KEYPAIR_STEP);
      return { step, ms: rounded(ms), "share of verify-factor": percent(ms / (others + ms)) };
    }),
  );
  await plot(
    "costs",
    barChart(
      "CPU of an operation (the mark is its floor)",
      "ms",
      costs.map(({ operation, cpuMs, floorMs }) => ({ label: operation, value: cpuMs, mark: floorMs })),
    ),
  );
}

function partMs(cost: Cost | undefined, name: PartName): number {
  return cost?.parts.find((part) => part.name === name)?.ms ?? Number.NaN;
}

async function awsCosts(): Promise<void> {
  const units = await measureAwsUnits(DRIVERS.find(({ name }) => name === "aws") ?? failWithoutAws());
  await show(
    "What each operation takes of DynamoDB (units) and of S3 (requests), and the price of a million",
    "aws-units",
    units.map(({ operation, calls, readUnits, writeUnits, s3Puts, s3Gets, s3Deletes, usdPerMillion }) => ({
      operation,
      "DynamoDB requests": calls,
      "read units": readUnits,
      "write units": writeUnits,
      PUT: s3Puts,
      GET: s3Gets,
      DELETE: s3Deletes,
      "USD a million": rounded(usdPerMillion),
    })),
  );
  const rows = await measureAwsCosts();
  await show(
    "CPU of an operation on the aws driver beside the embedded one, and so of a store call, beside a bare signed fetch",
    "aws-costs",
    rows.map(({ operation, bytes, localMs, awsMs, calls, callMs, bareMs, ratio }) => ({
      operation,
      KiB: bytes / 1024,
      "embedded ms": rounded(localMs),
      "aws ms": rounded(awsMs),
      "store calls": rounded(calls),
      "ms a call": rounded(callMs),
      "bare fetch ms": rounded(bareMs),
      "to bare fetch": rounded(ratio),
      target: CALL_TARGET,
      met: ratio <= CALL_TARGET ? "yes" : "NO",
    })),
  );
  await plot(
    "aws-costs",
    barChart(
      "CPU of an operation on the aws driver (the mark is the embedded one's)",
      "ms",
      rows.map(({ operation, bytes, localMs, awsMs }) => ({
        label: `${operation}, ${bytes / 1024} KiB`,
        value: awsMs,
        mark: localMs,
      })),
    ),
  );
}

function failWithoutAws(): never {
  throw new Error("the section needs the aws driver");
}

async function transferCosts(): Promise<void> {
  const rows = await measureTransferCosts();
  const met = (ratio: number | null, target: number | null) =>
    ratio === null || target === null ? "–" : ratio <= target ? "yes" : "NO";
  await show(
    "CPU of a transfer beside a bare server that hashes the same bytes and passes them on, and on aws beside the embedded driver",
    "transfer-costs",
    rows.map(
      ({ driver, operation, bytes, cpuMs, bareMs, toBare, bareTarget, toEmbedded, embeddedTarget }) => ({
        driver,
        operation,
        KiB: bytes / 1024,
        "CPU ms": rounded(cpuMs),
        "bare ms": rounded(bareMs),
        "to bare": rounded(toBare),
        "bare target": bareTarget ?? "–",
        "bare met": met(toBare, bareTarget),
        "to embedded": toEmbedded === null ? "–" : rounded(toEmbedded),
        "embedded target": embeddedTarget ?? "–",
        "embedded met": met(toEmbedded, embeddedTarget),
      }),
    ),
  );
  const large = rows.filter(({ bareTarget }) => bareTarget !== null);
  await plot(
    "transfer-costs",
    barChart(
      "CPU of a transfer, relative to a bare server (the mark is the target)",
      "×",
      large.map(({ driver, operation, bytes, toBare, bareTarget }) => ({
        label: `${driver}, ${operation}, ${bytes / 1024 / 1024} MiB`,
        value: toBare,
        ...(bareTarget !== null && { mark: bareTarget }),
      })),
    ),
  );
}

async function blocking(): Promise<void> {
  const rows = await measureBlocking();
  await show(
    "How long transfers of 15 MiB block the event loop, beside a bare server that only receives or sends the bytes, and by the service without a socket",
    "blocking",
    rows.map(({ operation, concurrency, p99Ms, longestMs, bareP99Ms, bareLongestMs, ownLongestMs }) => ({
      operation,
      concurrency,
      "p99 ms": rounded(p99Ms),
      "longest ms": rounded(longestMs),
      "bare p99 ms": rounded(bareP99Ms),
      "bare longest ms": rounded(bareLongestMs),
      "no socket, longest ms": ownLongestMs === null ? "–" : rounded(ownLongestMs),
    })),
  );
}

async function growth(): Promise<void> {
  const rows = await measureGrowth();
  await show(
    "CPU of parsers for an input of their largest size, beside one of half that size: 4 would be quadratic",
    "growth",
    rows.map(({ parser, input, bytes, halfMs, wholeMs }) => ({
      parser,
      input,
      bytes,
      "half ms": rounded(halfMs),
      "whole ms": rounded(wholeMs),
      ratio: rounded(wholeMs / halfMs),
    })),
  );
}

async function comparison(before: string): Promise<void> {
  const title = `CPU of an operation at 4 KiB beside that in ${before}, embedded driver`;
  await show(title, "comparison", comparisonRows(await compareWith(before)));
}

async function tracingCosts(): Promise<void> {
  const title =
    "CPU of an operation at 4 KiB that is traced (after), beside one that is not, embedded driver";
  await show(title, "tracing-costs", comparisonRows(await compareTracing()));
}

function comparisonRows(comparisons: readonly Comparison[]) {
  return comparisons.map(({ operation, beforeMs, afterMs, ratio }) => ({
    operation,
    "before ms": rounded(beforeMs),
    "after ms": rounded(afterMs),
    ratio: rounded(ratio),
  }));
}

async function throughput(urls: readonly string[] = []): Promise<void> {
  const rows = await measureThroughput(urls);
  await show(
    `Throughput and latency at 4 KiB, embedded driver${urls.length === 0 ? "" : `, beside ${urls.join(", ")}`}`,
    "throughput",
    rows.map(
      ({ server, operation, concurrency, perSecond, ratioToOurs, p50, p95, p99, cpuMs, failures }) => ({
        ...(urls.length === 0 ? {} : { server }),
        operation,
        concurrency,
        "per second": Math.round(perSecond),
        ...(urls.length === 0 ? {} : { "to ours": ratioToOurs === null ? "–" : rounded(ratioToOurs) }),
        "p50 ms": rounded(p50),
        "p95 ms": rounded(p95),
        "p99 ms": rounded(p99),
        "CPU ms": cpuMs === null ? "–" : rounded(cpuMs),
        failures: JSON.stringify(failures),
      }),
    ),
  );
  await plot(
    "throughput",
    barChart(
      "Operations a second",
      "/s",
      rows.map(({ server, operation, concurrency, perSecond }) => ({
        label: `${operation} × ${concurrency}${server === OURS ? "" : `, ${server}`}`,
        value: perSecond,
      })),
    ),
  );
}

async function transfers(driver: Driver): Promise<void> {
  const rows = await measureTransfers(driver, TRANSFER_WIDTHS);
  await show(
    `Peak memory with transfers of 15 MiB in flight, ${driver.name} (503: refused)`,
    `transfers-${driver.name}`,
    rows.map(({ operation, inFlight, mibPerSecond, peakRssMib, failures }) => ({
      operation: operation === "transfers" ? "half create, half retrieve" : operation,
      "in flight": inFlight,
      "MiB/s": Math.round(mibPerSecond),
      "peak RSS MiB": Math.round(peakRssMib),
      "target MiB": 512,
      failures: JSON.stringify(failures),
    })),
  );
  await plot(
    `transfers-${driver.name}`,
    barChart(
      `Peak resident memory, ${driver.name} (the mark is the target)`,
      "MiB",
      rows.map((row) => ({ label: `${row.operation} × ${row.inFlight}`, value: row.peakRssMib, mark: 512 })),
    ),
  );
}

async function show(title: string, file: string, rows: readonly Record<string, unknown>[]): Promise<void> {
  process.stdout.write(`\n${title}\n${Bun.inspect.table([...rows])}\n`);
  await Bun.write(join(RESULTS, `${file}.json`), `${JSON.stringify({ title, rows }, null, 2)}\n`);
}

async function plot(file: string, svg: string): Promise<void> {
  await Bun.write(join(RESULTS, `${file}.svg`), svg);
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}

function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
