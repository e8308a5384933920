import { explain } from "./explain.ts";

/** What JavaScriptCore reads as the memory of the machine, before any code runs. The scripts of package.json set it, too. */
const VARIABLE = "BUN_JSC_forceRAMSize";
const BYTES = 256 * 1024 * 1024;

/**
 * Has the engine keep as little garbage as on a machine with 256 MiB, unless the variable has a value already. Replaces the
 * program of this process by itself, with the variable: the process stays, and with it its id and its standard streams.
 * Does nothing on Windows, which has no such call.
 */
export function limitEngineMemory(): void {
  if (process.env[VARIABLE] !== undefined || process.platform === "win32") return;
  const args = process.argv.slice(2);
  try {
    process.execve?.(process.execPath, [process.execPath, ...args], {
      ...process.env,
      [VARIABLE]: String(BYTES),
    });
  } catch (error) {
    process.stderr.write(
      `This takes more memory than it has to, because ${VARIABLE} is not set: ${explain(error)}\n`,
    );
  }
}
