/** Runs before every file that Bun runs here (bunfig.toml), so that what is missing is named before it is needed. */
import { bunProblem, dependencyProblem, readManifest } from "./prerequisites.ts";

const isInstalling = Bun.main.replaceAll("\\", "/").endsWith("/src/cli/prepare.ts");
const problem =
  bunProblem(Bun.version, readManifest().engines) ??
  (isInstalling ? null : dependencyProblem(["dependencies"]));
if (problem !== null) {
  process.stderr.write(`${problem}\n`);
  process.exit(1);
}
