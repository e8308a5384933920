/** Which mutants the compiler refuses: `bun run check` notices those without a test. */
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** A text for a file, by the path of the file in the repository. */
interface Placed {
  readonly file: string;
  readonly text: string;
}

/**
 * Those that the types do not allow, in one run of the compiler. Each is a file of its own beside the original;
 * everything else imports the original.
 *
 * @param folder a copy of the repository.
 * @throws Error where the original, as such a file, has errors too.
 */
export async function refusedByCompiler<M extends Placed>(
  folder: string,
  mutants: readonly M[],
): Promise<ReadonlySet<M>> {
  const originals = await Promise.all(
    [...new Set(mutants.map(({ file }) => file))].map(async (file): Promise<Placed> => {
      return { file, text: await readFile(join(folder, file), "utf8") };
    }),
  );
  const refused = await refusedOf(folder, [...originals, ...mutants]);
  for (const original of originals)
    if (refused.has(original)) throw new Error(`the compiler refuses ${original.file} without a mutant`);
  return new Set(mutants.filter((mutant) => refused.has(mutant)));
}

async function refusedOf(folder: string, copies: readonly Placed[]): Promise<Set<Placed | undefined>> {
  const named = new Map(copies.map((copy, index) => [copy.file.replace(/ts$/, `${index}.ts`), copy]));
  const files = [...named.keys()];
  const project = join(folder, "tsconfig.mutants.json");
  await writeFile(project, JSON.stringify({ extends: "./tsconfig.json", include: [], files }));
  for (const [name, { text }] of named) await writeFile(join(folder, name), text);
  const tsc = join(folder, "node_modules/.bin/tsc");
  const child = Bun.spawn([process.execPath, tsc, "--project", project, "--pretty", "false"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const output = await new Response(child.stdout).text();
  await child.exited;
  for (const name of files) await rm(join(folder, name));
  const errors = [...output.matchAll(/^(\S+)\(\d+,\d+\): error /gm)];
  return new Set(errors.map(([, name = ""]) => named.get(name)));
}
