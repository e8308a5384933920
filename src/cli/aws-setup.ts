/**
 * `bun run aws:setup`: creates the bucket and the tables that the aws driver needs, where they are missing.
 * Ends with status 0 when nothing is missing, 1 when `--check` finds something missing, 2 when it could not run.
 */
import { parseArgs } from "node:util";
import { loadStorageConfig } from "../config/storage.ts";
import { typed } from "../runtime/program.ts";
import { type Finding, setUp } from "../storage/aws/setup.ts";
import { command, HELP } from "./command.ts";

const USAGE = `Usage: ${typed("aws-setup")} [--check]

Creates the bucket and the tables that AWS_REGION, BACKUP_S3_BUCKET and the other variables of AWS name, as for the
service. What exists is not changed.
  --check  only reports what is missing
`;

const MARKS: Readonly<Record<Finding["state"], string>> = {
  present: "ok       ",
  created: "created  ",
  missing: "MISSING  ",
  unsupported: "warning  ",
};

const OPTIONS = { check: { type: "boolean", default: false }, ...HELP } as const;

await command(USAGE, (args: string[]) => parseArgs({ args, options: OPTIONS }).values, setUpStorage);

async function setUpStorage({ check }: { readonly check: boolean }): Promise<number> {
  const storage = loadStorageConfig({ ...process.env, STORAGE_DRIVER: "aws" });
  if (storage.driver !== "aws") throw new Error("the storage driver is not aws");
  let missing = 0;
  for await (const { what, state } of setUp(storage, { checkOnly: check })) {
    if (state === "missing") missing += 1;
    const note = state === "unsupported" ? " is not supported by this endpoint" : "";
    process.stdout.write(`${MARKS[state]}${what}${note}\n`);
  }
  return missing > 0 ? 1 : 0;
}
