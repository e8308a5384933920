import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");
const { PATH = "", HOME = "" } = process.env;

/** With this in its environment, Bun reads no `.env`. */
const NO_ENV_FILE = { BUN_OPTIONS: "--no-env-file" } as const;

/** What a process of the tests has in its environment besides the variables that it is given. */
export const CLEAN_ENVIRONMENT: Readonly<Record<string, string>> = { PATH, HOME, ...NO_ENV_FILE };

/** Takes from this process what Bun read from the developer's `.env` files. What is for the tests alone stays. */
export function forgetEnvFiles(): void {
  for (const file of readdirSync(ROOT))
    if (/^\.env(\.|$)/.test(file) && file !== ".env.example")
      for (const [, name = ""] of readFileSync(join(ROOT, file), "utf8").matchAll(
        /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=/gm,
      ))
        if (!name.startsWith("TEST_")) delete process.env[name];
  Object.assign(process.env, NO_ENV_FILE);
}
