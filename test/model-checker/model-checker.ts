/**
 * The commit protocol in the model checker Spin: all that may happen is tried, not only what tests think of. The model is
 * commit-protocol.pml, with the rules of the source and, for each of them, a fault that leaves it out.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pooled, type Report } from "../crash/report.ts";
import { C_COMPILER, requireProgram, SPIN } from "../support/system-packages.ts";

const MODEL = join(import.meta.dir, "commit-protocol.pml");
/** The checkers that run at once; the one of the complete model takes 1 GB. */
const WIDTH = 2;
/** Longer than any sequence of steps. */
const MAX_DEPTH = 200_000;

interface Fault {
  /** 0 for the model as it is. */
  readonly number: number;
  readonly name: string;
}

/** @returns as cases the model and its faults: no claim may fail without a fault, and one must with each. */
export async function runModelChecker(): Promise<Report> {
  const [spin, compiler] = [await requireProgram(SPIN), await requireProgram(C_COMPILER)];
  const faults = faultsIn(await readFile(MODEL, "utf8"));
  if (faults.length === 0) throw new Error("the model has no faults");
  const root = await mkdtemp(join(tmpdir(), "backup-service-model-"));
  try {
    const results = await pooled([{ number: 0, name: "" }, ...faults], WIDTH, async (fault) => {
      const folder = await mkdtemp(join(root, "fault-"));
      await output(folder, [spin, "-a", `-DFAULT=${fault.number}`, MODEL]);
      // DSAFETY: no search for endless loops; DCOLLAPSE: half the memory for twice the time
      await output(folder, [compiler, "-w", "-O2", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c"]);
      return { fault, found: await output(folder, [join(folder, "pan"), `-m${MAX_DEPTH}`]) };
    });
    const failures = results.flatMap(({ fault, found }) => failuresOf(fault, found));
    return { cases: results.length, failures, notes: { states: statesIn(results[0]?.found ?? "") } };
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

function faultsIn(model: string): readonly Fault[] {
  return [...model.matchAll(/^#define (\w+) \(FAULT == (\d+)\)$/gm)].map(([, name = "", number]) => ({
    number: Number(number),
    name,
  }));
}

/** A search ends at the first claim that fails, and is complete otherwise. */
function failuresOf({ number, name }: Fault, found: string): readonly string[] {
  const violation = /^pan:\d+: (.*)$/m.exec(found)?.[1] ?? null;
  if (number > 0)
    return violation?.startsWith("assertion violated") ? [] : [`no claim fails with ${name}: ${found}`];
  const isComplete =
    /errors: 0$/m.test(found) && !/not completed|max search depth|out of memory/i.test(found);
  return isComplete ? [] : [`${violation ?? "the search is not complete"}: ${found}`];
}

function statesIn(found: string): number {
  return Number(/^\s*(\S+) states, stored/m.exec(found)?.[1]);
}

/** @throws Error with what the program wrote when it fails. */
async function output(folder: string, command: readonly string[]): Promise<string> {
  const child = Bun.spawn([...command], { cwd: folder, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [written, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) !== 0) throw new Error(`${command.join(" ")}: ${written}${errors}`);
  return written;
}
