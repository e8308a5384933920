/**
 * `bun run mutate [PATHS…]`: whether the tests notice mistakes in the source. Makes one small mistake at a time in a
 * copy of the repository, runs the tests that run its line, and prints each mistake after which all of them pass. What the
 * compiler refuses needs no test.
 * Exits with 1 if there is one without a reason in `test/mutation/explained`.
 */
import { readFile } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { parseArgs } from "node:util";
import { Glob } from "bun";
import { pseudoRandom } from "../support/pseudo-random.ts";
import { refusedByCompiler } from "./compiler.ts";
import { EXPLAINED } from "./explained.ts";
import { type Mutant, mutantsOf } from "./mutants.ts";
import { type Coverage, copyTree, type Outcome, type Tree } from "./tree.ts";

const ROOT = join(import.meta.dir, "../..");
const PATHS = ["src/crypto", "src/proofs", "src/backups", "src/storage"];
/** Beside those of the rooms that are mutated. */
const TESTS = ["test/contract", "test/routes", "test/service", "test/limits", "test/telemetry"];

interface Candidate extends Mutant {
  readonly file: string;
  /** The line where it begins, without its indentation. */
  readonly code: string;
}

type Verdict = "refused" | "killed" | "timed out" | "survived" | "explained";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    share: { type: "string", default: "1/1" },
    seed: { type: "string", default: "1" },
    tests: { type: "string", multiple: true },
  },
});

const paths = positionals.length === 0 ? PATHS : positionals;
const candidates = shareOf((await Promise.all(filesIn(paths, ".ts").map(candidatesOf))).flat());
const rooms = [...new Set(candidates.map(({ file }) => roomOf(file)))];
const tests = filesIn(values.tests ?? [...rooms.map((room) => `test/${room}`), ...TESTS], ".test.ts");
const rows = new Map<string, Record<Verdict, number>>();

await using tree = await copyTree(process.env.TEST_DRIVERS ?? "local");
const refused = await refusedByCompiler(tree.folder, candidates);
const coverages: Coverage[] = [];
for (const test of tests) coverages.push(await tree.measure(test));
/** By source file and test file: how many mutants it has killed so far. */
const kills = new Map<string, number>();
say(
  `${candidates.length} mutants, of which the compiler refuses ${refused.size}; ${tests.length} test files`,
);

for (const candidate of candidates) {
  const verdict = await verdictOf(tree, candidate);
  const { file, line, mutation } = candidate;
  if (verdict === "survived") say(`${file}:${line}: ${mutation}`);
  const row = rows.get(roomOf(file)) ?? { refused: 0, killed: 0, "timed out": 0, survived: 0, explained: 0 };
  row[verdict] += 1;
  rows.set(roomOf(file), row);
}
const table = [...rows].map(([room, row]) => ({ room, ...row }));
say(Bun.inspect.table(table));
process.exitCode = table.some(({ survived }) => survived > 0) ? 1 : 0;

async function verdictOf(inTree: Tree, candidate: Candidate): Promise<Verdict> {
  if (refused.has(candidate)) return "refused";
  const { file } = candidate;
  const explained = EXPLAINED[file]?.some(
    ({ line, mutation }) => line === candidate.code && mutation === candidate.mutation,
  );
  if (explained) return "explained";
  const running = coverages.filter((coverage) => runsLineOf(coverage, candidate));
  const named = `/${basename(file, ".ts")}`;
  // most mutants are killed by the tests of their own room, which are fast, and by those of their operation
  const isNear = ({ test }: Coverage) => test.startsWith(`test/${roomOf(file)}/`) || test.includes(named);
  const groups = [running.filter(isNear), running.filter((coverage) => !isNear(coverage))];
  for (const group of groups) {
    const { ended, failed } = await outcomeOf(inTree, group, candidate);
    if (failed !== null) kills.set(killsKey(file, failed), killsOf(file, failed) + 1);
    if (ended !== "passed") return ended === "hung" ? "timed out" : "killed";
  }
  return "survived";
}

/** First those that kill the most mutants of this file in the least time. */
async function outcomeOf(inTree: Tree, group: readonly Coverage[], changed: Candidate): Promise<Outcome> {
  if (group.length === 0) return { ended: "passed", failed: null };
  const rate = ({ test, ms }: Coverage) => (1 + killsOf(changed.file, test)) / ms;
  const usualMs = group.reduce((sum, { ms }) => sum + ms, 0);
  return inTree.run(
    group.toSorted((one, other) => rate(other) - rate(one)).map(({ test }) => test),
    { limitMs: 10_000 + 5 * usualMs, changed },
  );
}

function killsOf(file: string, test: string): number {
  return kills.get(killsKey(file, test)) ?? 0;
}

function killsKey(file: string, test: string): string {
  return `${file} ${test}`;
}

/** A line that is not listed, such as one within a condition, belongs to the listed one above. */
function runsLineOf({ runs }: Coverage, { file, line, lastLine }: Candidate): boolean {
  const lines = [...(runs.get(file) ?? [])];
  const within = lines.filter(([at]) => line <= at && at <= lastLine);
  const above = lines.filter(([at]) => at < line).slice(-1);
  return (within.length > 0 ? within : above).some(([, count]) => count > 0);
}

async function candidatesOf(file: string): Promise<Candidate[]> {
  const source = await readFile(join(ROOT, file), "utf8");
  const lines = source.split("\n").map((line) => line.trim());
  return mutantsOf(file, source).map((mutant) => ({ ...mutant, file, code: lines[mutant.line - 1] ?? "" }));
}

/** So many of them, chosen by the seed. */
function shareOf(all: readonly Candidate[]): Candidate[] {
  const [part, whole] = values.share.split("/").map(Number);
  const next = pseudoRandom(Number(values.seed));
  if (part === undefined || whole === undefined || !(part > 0 && part <= whole))
    throw new Error(`--share must be a fraction such as 1/10, not ${values.share}`);
  return all.filter(() => next() < (part / whole) * 2 ** 32);
}

function filesIn(places: readonly string[], ending: string): string[] {
  const files = places.flatMap((place) => {
    const path = relative(ROOT, join(ROOT, place));
    return path.endsWith(".ts") ? [path] : [...new Glob(`${path}/**/*${ending}`).scanSync({ cwd: ROOT })];
  });
  return [...new Set(files)].sort();
}

function roomOf(file: string): string {
  return file.split("/")[1] ?? "";
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
