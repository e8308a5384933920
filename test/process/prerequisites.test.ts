/** The messages for an old Bun, a missing network and missing dependencies. */
import { describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { bunProblem, dependencyProblem } from "../../src/runtime/prerequisites.ts";
import { copyRepository } from "../support/repository-copy.ts";

const COMMANDS: readonly (readonly string[])[] = [
  ["run", "dev"],
  ["run", "test"],
  ["run", "start"],
  ["run", "doctor"],
  ["run", "demo"],
  ["src/main.ts"],
  ["test", "test/runtime/memoise.test.ts"],
];
const INSTALLS = ["dev", "test", "check", "check:static", "prove"];

describe("a Bun", () => {
  const engines = { bun: ">=1.4.5" };

  for (const old of ["0.8.1", "1.0.36", "1.1.0", "1.3.99", "1.4.4", "1.4.4-canary.20+abc"])
    test(`${old} is older than needed, and the message has the command that updates it`, () => {
      const problem = bunProblem(old, engines);
      expect(problem).toContain("1.4.5 or newer");
      expect(problem).toContain(`this is Bun ${old} `);
      expect(problem).toContain("npm install --global bun@1.4.5");
    });

  for (const good of ["1.4.5", "1.4.10", "1.10.0", "2.0.0", "1.4.5-canary.1+abc"])
    test(`${good} is new enough`, () => expect(bunProblem(good, engines)).toBeNull());

  test("that is too old is reported by every command before it does anything", async () => {
    await using copy = await copyRepository({ bun: ">=99.0.0" });
    for (const args of COMMANDS) {
      const { status, errors } = await copy.run(args);
      expect({ args, status }).toEqual({ args, status: 1 });
      expect(errors, args.join(" ")).toContain(
        `This needs Bun 99.0.0 or newer, and this is Bun ${Bun.version}`,
      );
    }
  });
});

describe("dependencies", () => {
  test("that are all installed are no problem", () => {
    expect(dependencyProblem(["dependencies", "devDependencies"])).toBeNull();
  });

  test("of another version are named, with the command", async () => {
    const folder = await mkdtemp(join(tmpdir(), "backup-service-versions-"));
    try {
      await Bun.write(
        join(folder, "package.json"),
        JSON.stringify({ dependencies: { a: "1.2.3" }, devDependencies: { b: "2.0.0" } }),
      );
      await Bun.write(join(folder, "node_modules/a/package.json"), '{"version":"1.2.2"}');
      expect(dependencyProblem(["dependencies"], folder)).toContain(
        "a is installed as 1.2.2, and 1.2.3 is needed.\n",
      );
      expect(dependencyProblem(["devDependencies", "dependencies"], folder)).toContain(
        "b is not installed (and 1 more).\n",
      );
      await Bun.write(join(folder, "node_modules/a/package.json"), '{"version":"1.2.3"}');
      expect(dependencyProblem(["dependencies"], folder)).toBeNull();
      expect(dependencyProblem(["dependencies", "devDependencies"], folder)).toMatch(
        /b is not installed[\s\S]*bun install --frozen-lockfile/,
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("that are missing are reported by commands that do not install them, with the install command", async () => {
    await using copy = await copyRepository({ packages: [] });
    for (const args of COMMANDS.filter(([, name = ""]) => !INSTALLS.includes(name))) {
      const { status, errors } = await copy.run(args);
      expect({ args, status }).toEqual({ args, status: 1 });
      expect(errors, args.join(" ")).toContain("Install them with: bun install --frozen-lockfile");
    }
  });

  test("of the tests are reported as missing by `bun test` in a production install", async () => {
    await using copy = await copyRepository({ packages: Object.keys(packageJson.dependencies) });
    const { status, errors } = await copy.run(["test", "test/runtime/memoise.test.ts"]);
    expect(status).toBe(1);
    expect(errors).toContain("@biomejs/biome");
    expect(errors).toContain("bun install --frozen-lockfile");
  });

  for (const name of INSTALLS)
    test(`that cannot be downloaded make \`bun run ${name}\` fail, and it reports that`, async () => {
      await using copy = await copyRepository({ packages: [] });
      const { status, errors } = await copy.run(["run", name], {
        BUN_CONFIG_REGISTRY: "http://127.0.0.1:9", // no process listens there
        BUN_CONFIG_HTTP_RETRY_COUNT: "0",
        BUN_INSTALL_CACHE_DIR: join(copy.folder, "cache"),
      });
      expect(status).toBe(1);
      expect(errors).toContain(
        "The dependencies could not be installed: bun install --frozen-lockfile failed",
      );
      expect(errors).toContain("network");
      expect(errors).toContain("HTTPS_PROXY");
      expect(errors).toMatch(/ConnectionRefused|127\.0\.0\.1:9/);
    });
});

test("no script of package.json needs another shell than Bun's, and none hides what fails", () => {
  for (const [name, script] of Object.entries(packageJson.scripts)) {
    expect(script, name).toMatch(/^[\w:=./& -]+$/); // no ${…}, $(…), quotes, pipes or redirections
    expect(script, name).not.toContain("--silent");
  }
});
