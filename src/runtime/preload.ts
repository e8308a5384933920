/** Preloaded before every program (bunfig.toml): reports a missing prerequisite before other files need it. */
import { bunProblem, dependencyProblem, readManifest } from "./prerequisites.ts";

const isInstalling = Bun.main.replaceAll("\\", "/").endsWith("/src/cli/prepare.ts");
const problem =
  bunProblem(Bun.version, readManifest().engines) ??
  (isInstalling ? null : dependencyProblem(["dependencies"]));
if (problem !== null) {
  process.stderr.write(`${problem}\n`);
  process.exit(1);
}
