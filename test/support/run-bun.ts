import { join } from "node:path";
import { CLEAN_ENVIRONMENT } from "./clean-environment.ts";

/** What a process said until it ended. */
export interface Ended {
  /** The exit code. */
  readonly status: number;
  /** All of standard output. */
  readonly output: string;
  /** All of standard error. */
  readonly errors: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** The repository if not given. */
  readonly cwd?: string;
  /** Another program than Bun. */
  readonly program?: string;
}

/** Runs Bun to its end, with these variables and no others of the environment. */
export async function runBun(
  args: readonly string[],
  { env = {}, cwd = join(import.meta.dir, "../.."), program = process.execPath }: RunOptions,
): Promise<Ended> {
  const child = Bun.spawn([program, ...args], {
    cwd,
    env: { ...CLEAN_ENVIRONMENT, ...env },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, errors, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { status, output, errors };
}
