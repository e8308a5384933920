/** Runs before every test file. */
import { setDefaultTimeout } from "bun:test";
import { dependencyProblem } from "../src/runtime/prerequisites.ts";
import { forgetEnvFiles } from "./support/clean-environment.ts";

const problem = dependencyProblem(["dependencies", "devDependencies"]);
if (problem !== null) {
  process.stderr.write(`${problem}\n`);
  process.exit(1);
}
forgetEnvFiles();

/** Only for a test that hangs: nothing depends on being fast. */
setDefaultTimeout(600_000);
