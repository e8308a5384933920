/**
 * `bun run setup`, and the first step of `bun run dev`, `test`, `check` and `prove`: installs what bun.lock names.
 * Uses no dependency. Ends with status 0 when everything is installed, 1 when it is not.
 */
import { dependencyProblem, ROOT } from "../runtime/prerequisites.ts";

const command = ["install", "--frozen-lockfile"];

const install = Bun.spawnSync([process.execPath, ...command], { cwd: ROOT, stdout: "pipe", stderr: "pipe" });
const problem = dependencyProblem(["dependencies", "devDependencies"]);
if (install.exitCode !== 0 || problem !== null) {
  process.stderr.write(install.stdout.toString() + install.stderr.toString());
  process.stderr.write(
    `\nThe dependencies could not be installed: bun ${command.join(" ")} failed, see above.\n` +
      "They come from the npm registry, so this needs a network once, or a filled cache of Bun's. Behind a proxy set\n" +
      "HTTPS_PROXY, for another registry set BUN_CONFIG_REGISTRY, then run this command again.\n",
  );
  process.exit(1);
}
