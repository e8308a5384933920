import { describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../src/config/config.ts";
import { runBun } from "../support/run-bun.ts";
import { TEST_CHALLENGE_TOKEN_KEYS } from "../support/service.ts";
import { requireProgram, SYSTEMD } from "../support/system-packages.ts";

const ROOT = join(import.meta.dir, "../..");
const unit = await Bun.file(join(ROOT, "deploy/backup-service.service")).text();
const readme = await Bun.file(join(ROOT, "README.md")).text();

const values = (name: string) =>
  [...unit.matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].map(([, value = ""]) => value);

/** What `Environment=` sets, and then the file that the README shows. */
function environment(credentials: string): Record<string, string> {
  const [, file = ""] = /environment <<'EOF'\n([\s\S]*?)\nEOF/.exec(readme) ?? [];
  const assignments = [...values("Environment").flatMap((line) => line.split(" ")), ...file.split("\n")];
  return Object.fromEntries(
    assignments.map((assignment): [string, string] => {
      const [name = "", ...rest] = assignment.split("=");
      return [name, rest.join("=").replace("%d", credentials)];
    }),
  );
}

async function temporary() {
  const path = await mkdtemp(join(tmpdir(), "backup-service-unit-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

describe("the unit of systemd", () => {
  test("configures a service that would start, with what the README adds", async () => {
    await using folder = await temporary();
    const [name = "", path] = values("LoadCredential")[0]?.split(":") ?? [];
    expect(path).toBe(`/etc/backup-service/${name}`);
    await writeFile(join(folder.path, name), `${TEST_CHALLENGE_TOKEN_KEYS}\n`);
    const env = environment(folder.path);
    expect(Object.keys(env)).toContain("WEBAUTHN_RP_ID");
    const { storage, server } = loadConfig(env);
    expect(storage).toMatchObject({ driver: "local", dataDir: `/var/lib/${values("StateDirectory")[0]}` });
    // README, "Health checks and shutdown"
    expect(Number(values("TimeoutStopSec")[0])).toBeGreaterThan(server.shutdownDrainSeconds + 35);
    const example = await Bun.file(join(ROOT, ".env.example")).text();
    for (const variable of Object.keys(env).map((each) => each.replace(/_FILE$/, "")))
      expect(example).toMatch(new RegExp(`^(?:# )?${variable}=`, "m"));
  });

  test("has the user, the group and the program that the README installs", () => {
    const [, options = "", user] = /^useradd (.*) ([\w-]+)$/m.exec(readme) ?? [];
    expect(options).toContain("--user-group"); // not every system makes a group by default
    expect([values("User")[0], values("Group")[0]]).toEqual([user, user]);
    const [program = ""] = values("ExecStart")[0]?.split(" ") ?? [];
    expect(readme).toContain(`install -m 0755 dist/backup-service ${program.replace(/[^/]+$/, "")}`);
    expect(readme).toContain(`${values("StateDirectory")[0]} ${program} doctor`); // sudo may search other folders
  });

  test("is understood by systemd, and leaves the service little that it does not need", async () => {
    const program = await requireProgram(SYSTEMD);
    await using folder = await temporary();
    const file = join(folder.path, "backup-service.service");
    // systemd looks for the program of the unit
    await writeFile(file, unit.replace("/usr/local/bin/backup-service serve", process.execPath));
    const verified = await runBun(["verify", file], { program });
    expect(verified).toEqual({ status: 0, output: "", errors: "" });
    const judged = await runBun(["security", "--offline=true", "--threshold=20", "--no-pager", file], {
      program,
    });
    expect(judged).toMatchObject({ status: 0, output: expect.stringContaining("Overall exposure level") });
  });
});
