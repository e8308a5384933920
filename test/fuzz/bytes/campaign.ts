/** Runs every target, each in a process of its own and as many at once as there are processors. */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { pooled, type Report } from "../../crash/report.ts";
import type { TargetOptions } from "./fuzz-target.ts";
import { casesOf } from "./target.ts";
import { allTargets } from "./targets.ts";
import { runWatched } from "./watched.ts";

const PROGRAM = join(import.meta.dir, "run-target.ts");

export async function fuzzBytes({ cases, seed }: TargetOptions): Promise<Report> {
  const targets = await allTargets();
  const reports = await pooled([...targets.entries()], availableParallelism(), ([place, target]) =>
    runWatched({
      name: target.name,
      program: PROGRAM,
      arguments: [`${place}`],
      cases: casesOf(target, cases),
      seed,
    }),
  );
  const notes = targets.map(({ name }, place) => [name, reports[place]?.cases ?? 0]);
  return {
    cases: reports.reduce((sum, report) => sum + report.cases, 0),
    failures: reports.flatMap(({ failures }) => failures),
    notes: { targets: reports.length, ...Object.fromEntries(notes) },
  };
}
