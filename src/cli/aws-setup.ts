/**
 * `bun run aws:setup`: makes the bucket and the tables that the aws driver needs, where they are missing.
 * With `--check` it only tells what is missing, and ends with status 1 when anything is.
 */
import { ConfigError, type Environment, loadConfig } from "../config.ts";
import { type Finding, setUp } from "../storage/aws/setup.ts";

const MARKS: Readonly<Record<Finding["state"], string>> = {
  present: "ok       ",
  created: "created  ",
  missing: "MISSING  ",
  unsupported: "warning  ",
};

process.exitCode = await main(process.argv.slice(2), process.env);

async function main(args: readonly string[], env: Environment): Promise<number> {
  const checkOnly = args.includes("--check");
  if (args.some((arg) => arg !== "--check")) {
    process.stderr.write("usage: bun run aws:setup [--check]\n");
    return 2;
  }
  try {
    const { storage } = loadConfig(storageVariables(env));
    if (storage.driver !== "aws") throw new Error("the storage driver is not aws");
    let missing = 0;
    for await (const { what, state } of setUp(storage, { checkOnly })) {
      if (state === "missing") missing += 1;
      const note = state === "unsupported" ? " is not supported by this endpoint" : "";
      process.stdout.write(`${MARKS[state]}${what}${note}\n`);
    }
    return missing > 0 ? 1 : 0;
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`);
    return 1;
  }
}

/** Only what concerns storage: bucket and tables are often made by somebody who has none of the service's secrets. */
function storageVariables(env: Environment): Environment {
  const relevant = Object.entries(env).filter(([name]) => /^(AWS|BACKUP_S3|DYNAMODB)_/.test(name));
  return { ...Object.fromEntries(relevant), APP_ENV: "development", STORAGE_DRIVER: "aws" };
}

function explain(error: unknown): string {
  if (error instanceof ConfigError) return error.problems.join("\n");
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
