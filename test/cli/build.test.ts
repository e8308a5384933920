import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { TARGETS, targetOf } from "../../src/cli/build-targets.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { runCommand } from "./run-command.ts";

test("bun run build names the systems that it knows, where another is asked for", async () => {
  for (const name of ["plan9-x64", "linux", "", "constructor"]) {
    const { status, errors } = await runCommand("build", {}, "--target", name);
    expect(status).toBe(2);
    for (const target of Object.keys(TARGETS)) expect(errors).toContain(target);
  }
});

test("a system has the names that Bun and Docker give its processor", () => {
  expect(targetOf("linux-x64")).toBe("linux-x64");
  expect(targetOf("linux-amd64")).toBe("linux-x64");
  expect(targetOf("linux-amd64-musl")).toBe("linux-x64-musl");
});

test("a build that fails says why, and leaves nothing", async () => {
  await using folder = await temporaryFolder();
  const env = { TMPDIR: folder.path };
  const { status, errors } = await runCommand("build", env, "--out", "/dev/null/none");
  expect(status).toBe(2);
  expect(errors).toContain("/dev/null/none");
  expect(await readdir(folder.path)).toEqual([]);
});
