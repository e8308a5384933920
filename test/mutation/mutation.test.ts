import { describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { copyRepository } from "../support/repository-copy.ts";
import { refusedByCompiler } from "./compiler.ts";
import { EXPLAINED } from "./explained.ts";
import { type Mutant, mutantsOf } from "./mutants.ts";
import { copyTree } from "./tree.ts";

const FILE = "src/crypto/planted.ts";
const TEST = "test/crypto/planted.test.ts";

/** The test asks for a minor, and not for one who is just of age. */
const PLANTED = `/** A planted file. */
export function mayVote(age: number): boolean {
  if (age < 18) return false;
  return true;
}
export const VOTE: "vote" = "vote";
`;
const PLANTED_TEST = `import { expect, test } from "bun:test";
import { mayVote } from "../../src/crypto/planted.ts";

test("the young may not vote", () => {
  expect(mayVote(17)).toBe(false);
  expect(mayVote(19)).toBe(true);
});
`;
const SURVIVORS = ["<= for <: age < 18", "19 for: 18"];

/** The mutations of a source text, each with the line that it leaves. */
function mutations(source: string): string[] {
  return mutantsOf("planted.ts", source).map(({ line, mutation, text }) => {
    return `${mutation} | ${text.split("\n")[line - 1]?.trim()}`;
  });
}

describe("mutants", () => {
  test("of conditions", () => {
    expect(mutations("if (a && b === c) go();")).toEqual([
      "true for: a && b === c | if (true) go();",
      "false for: a && b === c | if (false) go();",
      "without left of &&: a && b === c | if (b === c) go();",
      "without right of &&: a && b === c | if (a) go();",
      "removed: go(); | if (a && b === c) {}",
    ]);
    expect(mutations("const all = list.every((one) => one !== 0 || !two);")).toEqual([
      "without left of ||: one !== 0 || !two | const all = list.every((one) => !two);",
      "without right of ||: one !== 0 || !two | const all = list.every((one) => one !== 0);",
      "=== for !==: one !== 0 | const all = list.every((one) => one === 0 || !two);",
      "1 for: 0 | const all = list.every((one) => one !== 1 || !two);",
      "without !: !two | const all = list.every((one) => one !== 0 || two);",
    ]);
    expect(mutations("while (one < two) one.go();").slice(0, 2)).toEqual([
      "false for: one < two | while (false) one.go();",
      "<= for <: one < two | while (one <= two) one.go();",
    ]);
  });

  test("of constants, lists and waiting", () => {
    expect(mutations('const it = [await one(), "", true];')).toEqual([
      'without element: await one() | const it = ["", true];',
      'without await: one() | const it = [one(), "", true];',
      'without element: "" | const it = [await one(), true];',
      '"mutant" for: "" | const it = [await one(), "mutant", true];',
      'without element: true | const it = [await one(), "", ];',
      'false for: true | const it = [await one(), "", false];',
    ]);
  });

  test("leave texts for people", () => {
    expect(mutations('throw new ServiceError("gone", "It is gone");')).toEqual([
      '"" for: "gone" | throw new ServiceError("", "It is gone");',
    ]);
  });

  test("leave types and imports", () => {
    expect(
      mutations(`import { a } from "a";
        export { b } from "b";
        type Kind = "c" | 1;
        interface Shape { readonly of: "d" }
        const e = f as const satisfies "g";
        function h(of: "i"): Set<"j"> { return new Set<"k">(of); }`),
    ).toEqual([]);
  });
});

describe("bun run mutate", () => {
  test("names what no test notices, and where, and exits with 1", async () => {
    await using copy = await copyRepository({ files: { [FILE]: PLANTED, [TEST]: PLANTED_TEST } });
    const { status, output } = await copy.run(["test/mutation/main.ts", FILE, "--tests", TEST]);
    expect(output.split("\n").filter((line) => line.startsWith("src/"))).toEqual(
      SURVIVORS.map((mutation) => `${FILE}:3: ${mutation}`),
    );
    expect(output).toMatch(/ crypto +│ 1 +│ 4 +│ 0 +│ 2 +│ 0 /);
    expect(status).toBe(1);
  });

  test("exits with 0 when each of those has a reason", async () => {
    const explained = SURVIVORS.map((mutation) => {
      return { line: "if (age < 18) return false;", mutation, reason: "planted" };
    });
    await using copy = await copyRepository({
      files: {
        [FILE]: PLANTED,
        [TEST]: PLANTED_TEST,
        "test/mutation/explained.ts": `export const EXPLAINED = ${JSON.stringify({ [FILE]: explained })};`,
      },
    });
    const { status, output } = await copy.run(["test/mutation/main.ts", FILE, "--tests", TEST]);
    expect(output).toMatch(/ crypto +│ 1 +│ 4 +│ 0 +│ 0 +│ 2 /);
    expect(status).toBe(0);
  });

  test("refuses tests that fail without a mutant", async () => {
    const files = { [FILE]: PLANTED, [TEST]: PLANTED_TEST.replace("17", "18") };
    await using copy = await copyRepository({ files });
    const { status, errors } = await copy.run(["test/mutation/main.ts", FILE, "--tests", TEST]);
    expect(errors).toContain(`${TEST} failed without a mutant`);
    expect(status).toBe(1);
  });
});

test("tests that take longer than the limit have hung, and a changed file is put back", async () => {
  await using tree = await copyTree("local");
  const changed = { file: "src/crypto/encoding.ts", text: "throw 1;" };
  const tests = ["test/crypto/encoding.test.ts"];
  const endless = { ...changed, text: "for (;;);" };
  expect(await tree.run(tests, { limitMs: 1, changed: endless })).toEqual({ ended: "hung", failed: null });
  expect(await tree.run(tests, { limitMs: 600_000, changed })).toMatchObject({ ended: "failed" });
  expect(await tree.run(tests, { limitMs: 600_000 })).toEqual({ ended: "passed", failed: null });
});

test("the test file that fails is named", async () => {
  await using tree = await copyTree("local");
  const text = 'import { expect, test } from "bun:test";\ntest("fails", () => expect(1).toBe(2));\n';
  const failing = "test/crypto/encoding.test.ts";
  const tests = ["test/proofs/passkey/cbor.test.ts", failing];
  const changed = { file: failing, text };
  expect(await tree.run(tests, { limitMs: 600_000, changed })).toEqual({ ended: "failed", failed: failing });
});

test("each explanation is of a mutant that is still made, and that the compiler takes", async () => {
  const explained: (Mutant & { readonly file: string })[] = [];
  for (const [file, explanations] of Object.entries(EXPLAINED)) {
    const source = await readFile(join(import.meta.dir, "../..", file), "utf8");
    const lines = source.split("\n").map((text) => text.trim());
    const mutants = mutantsOf(file, source);
    for (const { line, mutation } of explanations) {
      const mutant = mutants.find((one) => one.mutation === mutation && lines[one.line - 1] === line);
      expect({ file, line, mutation, isMade: mutant !== undefined }).toMatchObject({ isMade: true });
      if (mutant !== undefined) explained.push({ file, ...mutant });
    }
  }
  await using copy = await copyRepository();
  const refused = await refusedByCompiler(copy.folder, explained);
  expect([...refused].map(({ file, mutation }) => `${file}: ${mutation}`)).toEqual([]);
});
