import type { Stats } from "node:fs";
import { mkdtemp, readdir, readlink, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { orNullIfMissing } from "../../src/runtime/system-errors.ts";

/** Of the names of files with answers. */
export const ANSWER_PREFIX = "backup-service-answer-";

/** Is the folder for temporary files, until it is disposed of. */
export async function temporaryFolder() {
  const { TMPDIR } = process.env;
  const path = await mkdtemp(join(tmpdir(), "backup-service-test-"));
  process.env.TMPDIR = path;
  return {
    path,
    async [Symbol.asyncDispose]() {
      if (TMPDIR === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = TMPDIR;
      await rm(path, { recursive: true, force: true });
    },
  };
}

/** The names of the files with answers that are being made or about to be sent. */
export async function answersIn({ path }: { readonly path: string }): Promise<string[]> {
  return (await readdir(path)).filter((name) => name.startsWith(ANSWER_PREFIX));
}

/** Files of a folder, with a name that begins so or began so, that this process has open (proc(5)). */
export async function openFilesIn(
  { path: folder }: { readonly path: string },
  prefix = "backup-service-",
): Promise<Stats[]> {
  const open = (await readdir("/proc/self/fd")).map(async (name) => {
    const path = `/proc/self/fd/${name}`;
    const target = await orNullIfMissing(readlink(path)); // it may be closed meanwhile
    return target?.startsWith(join(folder, prefix)) ? await orNullIfMissing(stat(path)) : null;
  });
  return (await Promise.all(open)).filter((found) => found !== null);
}
