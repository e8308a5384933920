/** Runs before every test file. */
import { setDefaultTimeout } from "bun:test";
import { dependencyProblem } from "../src/runtime/prerequisites.ts";
import { forgetEnvFiles } from "./support/clean-environment.ts";
import { compareRepeatedObjects } from "./support/repeated-objects.ts";
import { givenSeed } from "./support/seed.ts";

const problem = dependencyProblem(["dependencies", "devDependencies"]);
if (problem !== null) {
  process.stderr.write(`${problem}\n`);
  process.exit(1);
}
forgetEnvFiles();

compareRepeatedObjects();

/** Only for a test that hangs: nothing depends on being fast. */
setDefaultTimeout(600_000);

/** So that a test fails each time or never. `SEED` gives another one. */
const DEFAULT_SEED = 20_261_126;

const { configureGlobal } = await import("fast-check"); // it is installed: see above
configureGlobal({ seed: givenSeed() ?? DEFAULT_SEED });
