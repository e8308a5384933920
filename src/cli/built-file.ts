/** Builds the one file: a copy of Bun that contains the bundled sources, and the files that they read while they run. */
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { Glob } from "bun";
import { playgroundScript } from "../http/playground.ts";
import { ROOT } from "../runtime/prerequisites.ts";
import { TARGETS, type Target } from "./build-targets.ts";

const SOURCE = join(ROOT, "src");

/** What the pages are made of; modules are in the bundle. */
const PAGES = new Glob("{http,playground}/**/*");

export interface OneFile {
  readonly name: string;
  readonly bytes: number;
  /** Of its content, in hexadecimal. */
  readonly sha256: string;
}

/**
 * Builds the file for one system into a folder; `null`: for this one.
 *
 * @param revision the commit of the sources; may be empty.
 * @throws Error when it does not compile, or Bun for that system cannot be fetched.
 */
export async function buildOneFile(
  folder: string,
  target: Target | null,
  revision: string,
): Promise<OneFile> {
  const staged = await mkdtemp(join(tmpdir(), "backup-service-build-"));
  try {
    await stage(staged);
    const outfile = join(folder, target === null ? "backup-service" : `backup-service-${target}`);
    const { outputs } = await Bun.build({
      entrypoints: [join(SOURCE, "cli/backup-service.ts")],
      // packages of CommonJS would contain the folder of this build, which nobody else has
      define: { BUILD_REVISION: JSON.stringify(revision), __dirname: '"/"', __filename: '"/"' },
      sourcemap: "inline",
      compile: {
        ...(target === null ? {} : { target: TARGETS[target] }),
        outfile,
        assets: ["http", "playground", ".env.example"].map((name) => join(staged, name)),
        // what lies in the folder where it is started must not change the program; `.env` is for settings
        autoloadBunfig: false,
        autoloadDotenv: true,
      },
    });
    await rm(`${outfile}.map`, { force: true }); // it is in the file, too
    const path = outputs[0]?.path ?? outfile;
    const file = Bun.file(path);
    const hash = new Bun.CryptoHasher("sha256");
    for await (const chunk of file.stream()) hash.update(chunk);
    return { name: basename(path), bytes: file.size, sha256: hash.digest("hex") };
  } finally {
    await rm(staged, { recursive: true, force: true });
  }
}

/** Puts together what the file contains besides modules. The script of the playground is bundled now: sources are not there. */
async function stage(folder: string): Promise<void> {
  const names = [...PAGES.scanSync(SOURCE)].filter((name) => !name.endsWith(".ts")).toSorted();
  for (const name of names) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await cp(join(SOURCE, name), join(folder, name));
  }
  await cp(join(ROOT, ".env.example"), join(folder, ".env.example"));
  await Bun.write(join(folder, "playground/page.js"), await playgroundScript());
}
