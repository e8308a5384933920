import { CLEAN_ENVIRONMENT } from "../support/clean-environment.ts";

/** Runs an operator command in a process of its own, with these variables and no others. */
export async function runCommand(name: string, env: Readonly<Record<string, string>>, ...args: string[]) {
  const child = Bun.spawn([process.execPath, `src/cli/${name}.ts`, ...args], {
    cwd: `${import.meta.dir}/../..`,
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
