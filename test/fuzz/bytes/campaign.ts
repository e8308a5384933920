/** Runs every target, each in a process of its own and as many at once as there are processors. */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { pooled, type Report } from "../../crash/report.ts";
import type { TargetOptions } from "./fuzz-target.ts";
import { allTargets } from "./targets.ts";
import { runWatched } from "./watched.ts";

/** How many of a target's cases are run where each would take a request that is signed. */
const SHARE_OF_STORES = 50;
const PROGRAM = join(import.meta.dir, "run-target.ts");

/** Those that put a whole store between them and the parser have fewer cases. */
export async function fuzzBytes({ cases, seed }: TargetOptions): Promise<Report> {
  const targets = await allTargets();
  const reports = await pooled([...targets.entries()], availableParallelism(), ([place, { name, isSlow }]) =>
    runWatched({
      name,
      program: PROGRAM,
      arguments: [`${place}`],
      cases: isSlow ? Math.ceil(cases / SHARE_OF_STORES) : cases,
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
