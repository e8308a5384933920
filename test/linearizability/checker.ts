/** The checker of histories: checker/main.go, with Porcupine. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GO, requireProgram } from "../support/system-packages.ts";
import type { Entry } from "./history.ts";

export type Verdict = "ok" | "illegal" | "too long";

/** Fetches the modules that checker/go.sum names, if they are not there. */
export async function verdictsOn(histories: readonly (readonly Entry[])[]): Promise<readonly Verdict[]> {
  const go = await requireProgram(GO);
  const folder = await mkdtemp(join(tmpdir(), "backup-service-linearizability-"));
  try {
    const program = join(folder, "checker");
    await output([go, "build", "-mod=readonly", "-o", program, "."], "");
    const lines = (
      await output([program], histories.map((history) => `${JSON.stringify(history)}\n`).join(""))
    )
      .split("\n")
      .slice(0, -1);
    if (lines.length !== histories.length)
      throw new Error(`${histories.length} histories, ${lines.length} verdicts`);
    return lines.map(verdict);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function verdict(line: string): Verdict {
  if (line === "ok" || line === "illegal" || line === "too long") return line;
  throw new Error(`the checker printed ${line}`);
}

/** @throws Error with what the program wrote when it fails. */
async function output(command: readonly string[], input: string): Promise<string> {
  const child = Bun.spawn([...command], {
    cwd: join(import.meta.dir, "checker"),
    env: { ...process.env, GOTOOLCHAIN: "local" },
    stdin: new Blob([input]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [written, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) !== 0) throw new Error(`${command.join(" ")}: ${written}${errors}`);
  return written;
}
