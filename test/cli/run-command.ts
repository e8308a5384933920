import { runBun } from "../support/run-bun.ts";

/** Runs an operator command in a process of its own, with these variables and no others. */
export function runCommand(name: string, env: Readonly<Record<string, string>>, ...args: string[]) {
  return runBun([`src/cli/${name}.ts`, ...args], { env });
}
