/**
 * `bun run dev`: the service in development, with a default for everything. Refuses a configuration that is made for
 * another APP_ENV: development generates keys, accepts test accounts and limits nothing, so it must not open real data.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../runtime/prerequisites.ts";

const APP_ENV = "development";
const env = process.env;

const foreign = foreignEnvironment();
if (foreign !== null) {
  process.stderr.write(
    `Cannot start: bun run dev is for development, and ${foreign}.\n` +
      "To start the service with that configuration: bun run start\n" +
      "To develop in this folder: move that file away, or unset APP_ENV where the environment sets it.\n",
  );
  process.exit(1);
}
env.APP_ENV = APP_ENV;
await import("../main.ts");

/** Where APP_ENV has another value. Files count too where a variable of the environment wins over them. */
function foreignEnvironment(): string | null {
  const nodeEnv = env.NODE_ENV ?? "development";
  for (const file of [".env", `.env.${nodeEnv}`, ".env.local", `.env.${nodeEnv}.local`])
    for (const [, value = ""] of contentOf(file).matchAll(/^\s*(?:export\s+)?APP_ENV\s*=\s*["'`]?([\w-]*)/gm))
      if (isForeign(value)) return `${file} has APP_ENV=${value}`;
  const value = env.APP_ENV?.trim() ?? "";
  return isForeign(value) ? `the environment has APP_ENV=${value.slice(0, 50)}` : null;
}

function isForeign(value: string): boolean {
  return value !== "" && value !== APP_ENV;
}

function contentOf(file: string): string {
  try {
    return readFileSync(join(ROOT, file), "utf8");
  } catch {
    return "";
  }
}
