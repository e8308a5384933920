/** A copy of the repository, for tests of commands in an incomplete clone. */
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { type Ended, runBun } from "./run-bun.ts";

const ROOT = join(import.meta.dir, "../..");
const COPIED = ["src", "test", "package.json", "bun.lock", "bunfig.toml", "tsconfig.json", ".env.example"];

export interface RepositoryCopy extends AsyncDisposable {
  readonly folder: string;
  /** Runs Bun in it with these arguments, to the end. Its `.env` is read, as when the command is typed. */
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ended>;
}

export interface RepositoryCopyOptions {
  /** The files and folders that are copied; what any command needs if not given. */
  readonly copied?: readonly string[];
  /** Packages that are installed; all of ours if not given. */
  readonly packages?: readonly string[] | undefined;
  /** What `engines` of its package.json asks of Bun. */
  readonly bun?: string;
  /** More files, by their names. */
  readonly files?: Readonly<Record<string, string>>;
}

export async function copyRepository({
  copied = COPIED,
  packages,
  bun,
  files = {},
}: RepositoryCopyOptions = {}): Promise<RepositoryCopy> {
  const folder = await mkdtemp(join(tmpdir(), "backup-service-repository-"));
  for (const name of copied) await cp(join(ROOT, name), join(folder, name), { recursive: true });
  if (packages === undefined) await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
  for (const name of packages ?? []) {
    const path = join(folder, "node_modules", name);
    await mkdir(dirname(path), { recursive: true });
    await symlink(join(ROOT, "node_modules", name), path);
  }
  if (bun !== undefined)
    await writeFile(join(folder, "package.json"), JSON.stringify({ ...packageJson, engines: { bun } }));
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  return {
    folder,
    run: (args, env = {}) => runBun(args, { cwd: folder, env: { BUN_OPTIONS: "", ...env } }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
