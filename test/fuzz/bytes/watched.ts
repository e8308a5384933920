/** Runs a target in a process of its own, which is ended when a case takes too long. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { TargetOptions, TargetReport } from "./fuzz-target.ts";
import { createProgress, readProgress } from "./progress.ts";

const REPORT = Type.Object({
  cases: Type.Number(),
  failures: Type.Array(Type.String()),
  accepted: Type.Number(),
  outcomes: Type.Number(),
});

/** How long a case may take; the slowest takes some milliseconds. */
const MAX_CASE_MS = 60_000;
/** How long the process may take to its first case; on a busy machine that is much more than to load its modules. */
const MAX_START_MS = 300_000;
const CHECKS_PER_CASE = 20;
const SHOWN_CHARACTERS = 2_000;

export interface WatchedTarget extends TargetOptions {
  readonly name: string;
  /** Runs the target: a program of Bun that takes `arguments`, the cases, the seed and the path of its progress. */
  readonly program: string;
  readonly arguments: readonly string[];
  readonly maxCaseMs?: number;
}

/** A process that hangs or dies is a failure, with the case that it ran. */
export async function runWatched(target: WatchedTarget): Promise<TargetReport> {
  const folder = await mkdtemp(join(tmpdir(), "backup-service-fuzz-"));
  try {
    return await runIn(join(folder, "progress"), target);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function runIn(progress: string, target: WatchedTarget): Promise<TargetReport> {
  const { name, program, cases, seed, maxCaseMs = MAX_CASE_MS } = target;
  createProgress(progress);
  const child = Bun.spawn([process.execPath, program, ...target.arguments, `${cases}`, `${seed}`, progress], {
    stdout: "pipe",
    stderr: "pipe",
  });
  let hangs = false;
  let last = { count: 0, sinceMs: performance.now() };
  const watch = setInterval(() => {
    const { count } = readProgress(progress);
    if (count !== last.count) last = { count, sinceMs: performance.now() };
    hangs ||= performance.now() - last.sinceMs > (count === 0 ? MAX_START_MS : maxCaseMs);
    if (hangs) child.kill("SIGKILL");
  }, maxCaseMs / CHECKS_PER_CASE);
  const [output, errors, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  clearInterval(watch);
  if (code === 0) return Value.Parse(REPORT, JSON.parse(output));
  const { count, input } = readProgress(progress);
  const place = count === 0 ? "before the first case" : `case ${count}`;
  const what = hangs
    ? `no end within ${maxCaseMs} ms`
    : `the process ended with ${child.signalCode ?? code}: ${errors.slice(-SHOWN_CHARACTERS)}`;
  const failure = `${name}, seed ${seed}, ${place}: ${what}; the input is ${input}`;
  return { cases: count, failures: [failure], accepted: 0, outcomes: 0 };
}
