import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");

/** The packages of an install with `--production`, as Bun itself decides, without a network. */
export function productionPackages(): string[] {
  const listed = Bun.spawnSync([process.execPath, "pm", "ls", "--all", "--prod"], { cwd: ROOT });
  const names = [...listed.stdout.toString().matchAll(/^[├└]── (@?[^@\s]+)@/gm)].map(([, name = ""]) => name);
  return names.filter((name) => !name.startsWith("@typescript/")); // one for each platform; never loaded
}
