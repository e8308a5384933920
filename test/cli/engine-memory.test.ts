import { expect, test } from "bun:test";
import packageJson from "../../package.json" with { type: "json" };
import { LIMITED } from "../../src/cli/engine-memory.ts";

test("the one file limits the memory of the engine for the commands for which the scripts do", () => {
  const scripts = Object.entries(packageJson.scripts).filter(
    ([name, script]) => name !== "dev" && script.startsWith("BUN_JSC_forceRAMSize="),
  );
  const commands = scripts.map(([name]) => (name === "start" ? "serve" : name));
  expect(commands.toSorted()).toEqual(LIMITED.toSorted());
});
