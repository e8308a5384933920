/** A copy of the repository in which tests run against mutants, and which of its tests run which lines. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CLEAN_ENVIRONMENT } from "../support/clean-environment.ts";
import { startDynamoDb } from "../support/dynamodb-endpoint.ts";
import { copyRepository } from "../support/repository-copy.ts";

export interface Outcome {
  /** `hung`: more than the time limit passed. */
  readonly ended: "passed" | "failed" | "hung";
  /** The test file that failed, where it says so. */
  readonly failed: string | null;
}

export interface Tree extends AsyncDisposable {
  readonly folder: string;
  /** Runs these test files in their order, until one fails. A changed file is put back afterwards. */
  run(tests: readonly string[], options: RunOptions): Promise<Outcome>;
  /** Runs one test file, which must pass. */
  measure(test: string): Promise<Coverage>;
}

export interface RunOptions {
  readonly limitMs: number;
  /** Another text for a file, by its path in the repository. */
  readonly changed?: { readonly file: string; readonly text: string };
}

/** What one test file runs. */
export interface Coverage {
  readonly test: string;
  /** How long it takes. */
  readonly ms: number;
  /** By source file: the lines that can be run, and how often each was. */
  readonly runs: ReadonlyMap<string, ReadonlyMap<number, number>>;
}

/** Nothing that passes takes so long. */
const LONGEST_MS = 600_000;

export async function copyTree(drivers: string): Promise<Tree> {
  const copy = await copyRepository();
  const { folder } = copy;
  const variables = {
    ...CLEAN_ENVIRONMENT,
    TEST_DRIVERS: drivers,
    // to start it takes longer than most mutants do
    ...(drivers.includes("aws") ? { TEST_DYNAMODB_ENDPOINT: await startDynamoDb() } : {}),
  };

  const run = async (args: readonly string[], limitMs: number): Promise<Outcome> => {
    const temporary = await mkdtemp(join(folder, "tmp-")); // a process that is killed leaves its files
    const child = Bun.spawn([process.execPath, "test", "--timeout", `${LONGEST_MS}`, "--bail=1", ...args], {
      cwd: folder,
      env: { ...variables, TMPDIR: temporary },
      stdio: ["ignore", "ignore", "pipe"],
      timeout: Math.ceil(limitMs),
      killSignal: "SIGKILL",
    });
    const errors = await new Response(child.stderr).text();
    const status = await child.exited;
    await rm(temporary, { recursive: true, force: true });
    const failed = /^(test\/\S+\.test\.ts):$/m.exec(errors)?.[1] ?? null; // the runner names the file first
    if (child.signalCode === "SIGKILL") return { ended: "hung", failed: null };
    return { ended: status === 0 ? "passed" : "failed", failed };
  };

  return {
    folder,
    async run(tests, { limitMs, changed }) {
      const paths = tests.map((test) => `./${test}`);
      if (changed === undefined) return run(paths, limitMs);
      const path = join(folder, changed.file);
      const original = await readFile(path);
      await writeFile(path, changed.text);
      try {
        return await run(paths, limitMs);
      } finally {
        await writeFile(path, original);
      }
    },

    async measure(test) {
      const output = await mkdtemp(join(folder, "coverage-"));
      const options = ["--coverage", "--coverage-reporter=lcov", `--coverage-dir=${output}`];
      const startedMs = performance.now();
      const { ended } = await run([...options, `./${test}`], LONGEST_MS);
      if (ended !== "passed") throw new Error(`${test} ${ended} without a mutant: bun run test ${test}`);
      const ms = performance.now() - startedMs;
      return { test, ms, runs: runsOf(await readFile(join(output, "lcov.info"), "utf8")) };
    },

    [Symbol.asyncDispose]: () => copy[Symbol.asyncDispose](),
  };
}

/** Reads an lcov tracefile (geninfo(1)). */
function runsOf(lcov: string): Map<string, Map<number, number>> {
  const runs = new Map<string, Map<number, number>>();
  for (const record of lcov.split("end_of_record")) {
    const file = /^SF:(.+)$/m.exec(record)?.[1];
    const lines = [...record.matchAll(/^DA:(\d+),(\d+)/gm)];
    if (file !== undefined)
      runs.set(file, new Map(lines.map(([, line, count]) => [Number(line), Number(count)])));
  }
  return runs;
}
