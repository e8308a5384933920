import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

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
  return (await readdir(path)).filter((name) => name.startsWith("backup-service-answer-"));
}
