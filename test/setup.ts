/** Runs before every test file. */
import { setDefaultTimeout } from "bun:test";
import { dependencyProblem } from "../src/prerequisites.ts";
import { forgetEnvFiles } from "./support/clean-environment.ts";

const problem = dependencyProblem(["dependencies", "devDependencies"]);
if (problem !== null) {
  process.stderr.write(`${problem}\n`);
  process.exit(1);
}
forgetEnvFiles();

/** The default of 5 s is short for a test that starts processes on a busy machine. */
setDefaultTimeout(60_000);
