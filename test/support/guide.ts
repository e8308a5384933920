/** The chapters of the guide, and the code and the vectors in them. */
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CHAPTERS, readChapter } from "../../src/http/reference/guide/page.ts";
import { PYTHON, requireProgram } from "./system-packages.ts";

export type Chapter = (typeof CHAPTERS)[number];

/** The JSON of a chapter's block of vectors. The caller names its form, and its tests fail for any other. */
export async function vectorsOf<T>(chapter: Chapter): Promise<T> {
  const [text, ...others] = await blocks(chapter, "json vectors");
  if (text === undefined || others.length > 0) throw new Error(`${chapter} has not one block of vectors`);
  return JSON.parse(text);
}

/** Imports the TypeScript of a chapter: its blocks together are a module. */
export async function importTypescript<T>(chapter: Chapter): Promise<T> {
  await using folder = await typescriptIn([chapter]);
  return await import(join(folder.path, `${chapter}.ts`));
}

/** A folder with the TypeScript of some chapters, one module each, until it is disposed of. */
export async function typescriptIn(
  chapters: readonly Chapter[],
): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "guide-"));
  await symlink(join(import.meta.dir, "../../node_modules"), join(path, "node_modules"));
  for (const chapter of chapters)
    await Bun.write(join(path, `${chapter}.ts`), (await blocks(chapter, "ts")).join("\n"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Runs the Python of a chapter and then `program`, which prints JSON. `input` is there under this name. */
export async function runPython<T>(chapter: Chapter, program: string, input: unknown): Promise<T> {
  const python = await requireProgram(PYTHON);
  const code = [
    "import json, sys",
    "input = json.load(sys.stdin)",
    ...(await blocks(chapter, "python")),
    program,
  ];
  const child = Bun.spawn([python, "-c", code.join("\n")], {
    stdin: new Blob([JSON.stringify(input)]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if ((await child.exited) !== 0) throw new Error(`The Python of ${chapter} failed:\n${errors}`);
  return JSON.parse(output);
}

/** The fenced blocks of a chapter with this info string. */
export async function blocks(chapter: Chapter, info: string): Promise<string[]> {
  const text = await readChapter(chapter);
  const found = [...text.matchAll(/^```([^\n]+)\n(.*?)^```$/gms)];
  return found.flatMap(([, name, code = ""]) => (name === info ? [code] : []));
}
