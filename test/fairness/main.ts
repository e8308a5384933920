/**
 * `bun run prove:load`: a hundred honest clients beside one hostile client of each kind, on each driver. Prints one table.
 * An attacker sends as fast as a link of 1 Gbit/s. It and the honest clients take the processors of the service, which real
 * ones do not. So the ratios are without the time in which the service was ready to run and others had the processors; the
 * last column is with it.
 * Exits with 1 if an honest client failed, or if memory, descriptors, disk or reservations did not come back.
 *
 *   bun run prove:load                         every kind for a minute: about fifty minutes for both drivers
 *   bun run prove:load --only "flood of challenges" --seconds 20 --people 20
 *   bun run prove:load --soak 30               owners for so many minutes under faults instead: nothing may grow
 *   bun run prove:load --max-p99-ratio 5       fails also if an attack makes honest clients wait longer than that
 */
import { parseArgs } from "node:util";
import { DRIVERS, type Driver } from "../drivers.ts";
import { ATTACKS, type AttackName, isAttackName } from "./attacks.ts";
import { type FairnessRow, percentile, runFairness } from "./fairness.ts";
import { startS3Process } from "./s3-process.ts";
import { runSoak } from "./soak.ts";

/** A larger ratio is marked in the table, and fails only with `--max-p99-ratio`. */
const FLAGGED_P99_RATIO = 5;

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    people: { type: "string", default: "100" },
    seconds: { type: "string", default: "60" },
    "pause-ms": { type: "string", default: "2000" },
    "max-p99-ratio": { type: "string" },
    soak: { type: "string" },
  },
});
const attacks = (values.only ?? Object.keys(ATTACKS)).map(attackNamed);
const attackMs = wholeNumber("seconds", values.seconds) * 1000;
const people = wholeNumber("people", values.people);
const pauseMs = wholeNumber("pause-ms", values["pause-ms"]);
const maxRatio = values["max-p99-ratio"] === undefined ? null : Number(values["max-p99-ratio"]);
const soakMinutes = values.soak === undefined ? null : wholeNumber("soak", values.soak);
const shown: Record<string, string | number>[] = [];
const notes: string[] = [];
const failures: string[] = [];

await using s3 = await startS3Process();
process.env.TEST_S3_ENDPOINT ??= s3.url;
for (const driver of DRIVERS) await (soakMinutes === null ? attacked(driver) : soak(driver, soakMinutes));
process.stdout.write(`\n${Bun.inspect.table(shown)}\n${notes.join("\n")}\n`);
for (const failure of failures) process.stdout.write(`${failure}\n`);
process.exit(failures.length === 0 ? 0 : 1);

async function attacked(driver: Driver): Promise<void> {
  const report = await runFairness(driver, {
    attacks,
    people,
    pauseMs,
    attackMs,
    quietMs: attackMs / 3,
    onRow: ({ attack, actions, failures: failed }) =>
      void process.stdout.write(`${driver.name}, ${attack}: ${actions} honest actions, ${failed} failed\n`),
  });
  failures.push(...report.failures);
  const { quiet } = report;
  const quietMs = (part: number) => percentile(quiet.latenciesMs, part).toFixed(1);
  notes.push(
    `${driver.name}: without an attack, an action took ${quietMs(0.5)} ms (p50), ${quietMs(0.99)} ms (p99)`,
  );
  for (const row of report.rows) {
    const ratioOf = (of: "latenciesMs" | "elapsedMs", part: number) =>
      percentile(row[of], part) / percentile(quiet[of], part);
    const p99 = ratioOf("latenciesMs", 0.99);
    if (maxRatio !== null && !(p99 <= maxRatio))
      failures.push(`${driver.name}, ${row.attack}: the p99 is ${p99.toFixed(1)} times that without it`);
    shown.push({
      driver: driver.name,
      ...columns(row),
      "p50 ratio": ratioOf("latenciesMs", 0.5).toFixed(1),
      "p99 ratio": flagged(p99),
      "p99 with waits for a CPU": ratioOf("elapsedMs", 0.99).toFixed(1),
    });
  }
}

async function soak(driver: Driver, minutes: number): Promise<void> {
  const report = await runSoak(driver, {
    ms: minutes * 60_000,
    owners: people,
    pauseMs,
    seed: Math.floor(Math.random() * 2 ** 31),
  });
  failures.push(...report.failures);
  notes.push(
    `${driver.name}: ${report.actions} actions, ${report.refused} refused, ${report.delivered} events delivered, ${report.oneTimeRows} nonces and tokens`,
  );
  for (const { measure, middle, end, growth } of report.measures)
    shown.push({
      driver: driver.name,
      measure,
      "at half time": Math.round(middle),
      "at the end": Math.round(end),
      "growth of the fit": growth.toFixed(1),
    });
}

function columns({ attack, outcomes, actions, failures, peakMiB, after }: FairnessRow) {
  return {
    "hostile client": attack,
    "its outcomes": Object.entries(outcomes)
      .map(([outcome, count]) => `${outcome}: ${count}`)
      .join(", "),
    honest: actions,
    failed: failures,
    "peak MiB": Math.round(peakMiB),
    "MiB after": Math.round(after.rssMiB),
    "descriptors after": after.descriptors,
  };
}

function flagged(ratio: number): string {
  return ratio <= FLAGGED_P99_RATIO ? ratio.toFixed(1) : `${ratio.toFixed(1)} (!)`;
}

function attackNamed(name: string): AttackName {
  if (isAttackName(name)) return name;
  throw new Error(`--only takes one of ${Object.keys(ATTACKS).join("; ")}`);
}

function wholeNumber(option: string, text: string): number {
  const given = Number(text);
  if (!Number.isSafeInteger(given) || given < 1)
    throw new Error(`--${option} must be a whole number, not ${text}`);
  return given;
}
