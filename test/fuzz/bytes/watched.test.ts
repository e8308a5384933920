import { expect, test } from "bun:test";
import { join } from "node:path";
import { fuzzBytes } from "./campaign.ts";
import { fuzzTarget } from "./fuzz-target.ts";
import { casesOf } from "./target.ts";
import { allTargets } from "./targets.ts";
import { runWatched } from "./watched.ts";

const FAULTY = { name: "a fault", program: join(import.meta.dir, "hanging-target.ts"), cases: 10, seed: 7 };

test("a case without an end is ended, and named with its target and seed", async () => {
  const { cases, failures } = await runWatched({ ...FAULTY, arguments: ["hang"], maxCaseMs: 3_000 });
  expect(cases).toBe(5);
  expect(failures).toEqual([
    expect.stringMatching(/^a fault, seed 7, case 5: no end within 3000 ms; the input is Buffer\.from\("/),
  ]);
});

test("a process that dies names its case", async () => {
  const { failures } = await runWatched({ ...FAULTY, arguments: ["exit"] });
  expect(failures).toEqual([
    expect.stringMatching(
      /^a fault, seed 7, case 5: the process ended with 3: .*; the input is Buffer\.from\("/,
    ),
  ]);
});

test("a process that cannot begin says why", async () => {
  const program = join(import.meta.dir, "run-target.ts");
  const { failures } = await runWatched({ ...FAULTY, program, arguments: ["-1"] });
  expect(failures).toEqual([
    expect.stringMatching(/^a fault, seed 7, before the first case: .*no target -1/s),
  ]);
});

test("a target in a process runs the cases that it runs here", async () => {
  const targets = await allTargets();
  const place = targets.findIndex(({ name }) => name === "CBOR");
  const target = targets[place];
  if (target === undefined) throw new Error("there is no such target");
  const options = { cases: 500, seed: 3 };
  const program = join(import.meta.dir, "run-target.ts");
  const watched = await runWatched({ ...options, name: target.name, program, arguments: [`${place}`] });
  expect(watched).toEqual(await fuzzTarget(target, options));
});

test("the campaign runs every target", async () => {
  const { cases, failures, notes = {} } = await fuzzBytes({ cases: 50, seed: 1 });
  const targets = await allTargets();
  expect(failures).toEqual([]);
  expect(Object.keys(notes)).toEqual(["targets", ...targets.map(({ name }) => name)]);
  expect(cases).toBe(targets.reduce((sum, target) => sum + casesOf(target, 50), 0));
});
