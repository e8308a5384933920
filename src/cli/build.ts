/** `bun run build`: makes one file of the service, its operator commands and Bun, in `dist`. */

import { join } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "../runtime/prerequisites.ts";
import { TARGETS, type Target, targetOf } from "./build-targets.ts";
import { buildOneFile } from "./built-file.ts";
import { command, HELP } from "./command.ts";

const USAGE = `Usage: bun run build [--target TARGET]... [--all] [--out FOLDER]

Makes one file that contains the service, its operator commands and Bun, and a list of checksums (SHA-256) beside it.
Without a target it is dist/backup-service, for this machine; else the names of the targets follow that name.
  --target  one of ${Object.keys(TARGETS).join(", ")};
            Bun for another system than this one is fetched from the npm registry
  --all     all of these targets
  --out     the folder; dist if not given
`;

const OPTIONS = {
  target: { type: "string", multiple: true, default: [] as string[] },
  all: { type: "boolean", default: false },
  out: { type: "string", default: join(ROOT, "dist") },
  ...HELP,
} as const;

await command(USAGE, optionsOf, build);

async function build({ targets, out }: ReturnType<typeof optionsOf>): Promise<number> {
  const revision = process.env.APP_REVISION?.trim() || commit();
  const sums: string[] = [];
  for (const target of targets) {
    const { name, bytes, sha256 } = await buildOneFile(out, target, revision);
    sums.push(`${sha256}  ${name}\n`);
    process.stdout.write(`${join(out, name)} ${(bytes / 1024 / 1024).toFixed(0)} MiB\n`);
  }
  await Bun.write(join(out, "SHA256SUMS"), sums.join(""));
  return 0;
}

/** The commit of the sources, marked where they differ from it; empty where this is no clone. */
function commit(): string {
  try {
    const described = Bun.spawnSync(
      ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
      {
        cwd: ROOT,
        stderr: "ignore",
      },
    );
    return described.success ? described.stdout.toString().trim() : "";
  } catch {
    return ""; // there is no git
  }
}

function optionsOf(args: string[]) {
  const { values } = parseArgs({ args, options: OPTIONS });
  const { all, target, out, help } = values;
  const named: readonly (Target | null)[] = all ? Object.keys(TARGETS).map(targetOf) : target.map(targetOf);
  return { help, out, targets: named.length === 0 ? [null] : named };
}
