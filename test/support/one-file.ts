/** The one file, as `bun run build` makes it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Ended, runBun } from "./run-bun.ts";
import { type ServiceProcess, startProcess } from "./service-process.ts";

type Variables = Readonly<Record<string, string>>;

/** There is no Bun where it runs, nor any other program. */
const NOTHING = { PATH: "/nowhere", HOME: "/nowhere", BUN_OPTIONS: "" };

export interface BuiltFile extends AsyncDisposable {
  /** The folder that it was built into. */
  readonly folder: string;
  /** An empty folder to start it in. */
  readonly cwd: string;
  /** Starts the service by it. */
  start(env: Variables): Promise<ServiceProcess>;
  /** Runs one of its commands to the end, in an empty folder unless one is named. */
  run(args: readonly string[], env?: Variables, folder?: string): Promise<Ended>;
}

/** Builds it for this machine. @param revision the commit that it is to name. */
export async function buildFile(revision: string): Promise<BuiltFile> {
  const folder = await mkdtemp(join(tmpdir(), "backup-service-one-file-"));
  const cwd = await mkdtemp(join(tmpdir(), "backup-service-empty-"));
  const env = { APP_REVISION: revision };
  const { status, output, errors } = await runBun(["src/cli/build.ts", "--out", folder], { env });
  if (status !== 0) throw new Error(`the one file could not be built: ${output}${errors}`);
  const program = join(folder, "backup-service");
  return {
    folder,
    cwd,
    start: (env) => startProcess({ ...env, ...NOTHING }, { program: [program], folder: cwd }),
    run: (args, env = {}, folder = cwd) =>
      runBun(args, { program, cwd: folder, env: { ...env, ...NOTHING } }),
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true, force: true });
      await rm(cwd, { recursive: true, force: true });
    },
  };
}
