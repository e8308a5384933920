import { readFileSync } from "node:fs";
import type { CommandName } from "../runtime/program.ts";
import { explain } from "./explain.ts";

/** What JavaScriptCore reads as the memory of the machine, before any code runs. The scripts of package.json set it, too. */
const VARIABLE = "BUN_JSC_forceRAMSize";
const BYTES = 256 * 1024 * 1024;

/** The commands that run long and handle many bytes. */
export const LIMITED: readonly CommandName[] = ["serve", "doctor", "import", "export"];

/**
 * Has the engine keep as little garbage as on a machine with 256 MiB, unless the variable has a value already. Replaces the
 * program of this process by itself, with the variable: the process stays, and with it its id and its standard streams.
 *
 * Linux only: elsewhere the variables that the process was started with cannot be distinguished from those of a file `.env`,
 * some of which change what a program is, such as `BUN_OPTIONS` and `LD_PRELOAD`. The new program reads the file by itself.
 */
export function limitEngineMemory(): void {
  if (process.platform !== "linux") return;
  const args = process.argv.slice(2);
  try {
    const environment = startEnvironment();
    if (environment[VARIABLE] !== undefined) return;
    process.execve?.(process.execPath, [process.execPath, ...args], {
      ...environment,
      [VARIABLE]: String(BYTES),
    });
  } catch (error) {
    process.stderr.write(
      `This takes more memory than it has to, because ${VARIABLE} is not set: ${explain(error)}\n`,
    );
  }
}

/** The variables that the process was started with, without those of files. */
function startEnvironment(): Record<string, string> {
  const entries = readFileSync("/proc/self/environ", "utf8").split("\0");
  return Object.fromEntries(
    entries.flatMap((entry) => {
      const [, name, value] = /^([^=]+)=(.*)$/s.exec(entry) ?? [];
      return name === undefined || value === undefined ? [] : [[name, value]];
    }),
  );
}
