import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import { DRIVERS } from "../drivers.ts";
import { newLegacyStores } from "../support/legacy-stores.ts";
import { legacyUser } from "../support/legacy-users.ts";
import { runCommand } from "./run-command.ts";

for (const driver of DRIVERS)
  describe(`bun run import and export on ${driver.name}`, () => {
    test("take over, compare and write back, and end with 0", async () => {
      await using legacy = await newLegacyStores();
      await using storage = await driver.environment();
      const env = { ...legacy.env, ...storage.env };
      const users = Array.from({ length: 3 }, () => legacyUser());
      await legacy.add(...users);
      const before = await legacy.contents();
      expect(await runCommand("import", env, ...legacy.args)).toEqual({
        status: 0,
        output: "Took over 3 backups; 0 were taken over before. No findings.\n",
        errors: "3 backups with ciphertexts of 0.0 MiB: at this rate it takes 1 s or longer.\n",
      });
      expect(await runCommand("import", env, ...legacy.args)).toMatchObject({
        output: "Took over 0 backups; 3 were taken over before. No findings.\n",
      });
      expect(await runCommand("import", env, ...legacy.args, "--verify")).toMatchObject({
        status: 0,
        output: "3 backups are as in the source. No findings.\n",
      });
      // the two commands of the cut-over
      const since = ["--since", new Date(Date.now() - 3_600_000).toISOString()];
      expect(await runCommand("import", env, ...legacy.args, ...since)).toMatchObject({
        status: 0,
        output: "Took over 0 backups; 3 were taken over before. No findings.\n",
      });
      expect(await runCommand("import", env, ...legacy.args, ...since, "--verify")).toMatchObject({
        status: 0,
        output: "3 backups that were read are as in the source. No findings.\n",
      });
      expect(await legacy.contents()).toEqual(before);
      expect(await runCommand("doctor", env, "--verify")).toMatchObject({ status: 0 });

      await using other = await newLegacyStores();
      expect(await runCommand("export", env, ...other.args)).toEqual({
        status: 0,
        output: "Wrote 3 backups; 0 were there already. No findings.\n",
        errors: "",
      });
      const json = await runCommand("export", env, ...other.args, "--json");
      expect(JSON.parse(json.output)).toEqual({ findings: [], exported: 0, alreadyThere: 3 });
      expect(await runCommand("import", env, ...other.args, "--verify")).toMatchObject({ status: 0 });
    });

    test("end with 1 and name each backup with something wrong; --json prints one document", async () => {
      await using legacy = await newLegacyStores();
      await using storage = await driver.environment();
      const env = { ...legacy.env, ...storage.env };
      const [sound, torn] = [legacyUser(), legacyUser()];
      await legacy.add(sound, torn);
      await legacy.deleteObject(torn.ciphertextKey);
      const findings = [{ backupId: torn.id, problem: "the ciphertext is missing" }];
      const dry = await runCommand("import", env, ...legacy.args, "--json", "--dry-run");
      expect(dry.status).toBe(1);
      expect(JSON.parse(dry.output)).toEqual({ findings, imported: 1, alreadyThere: 0 });
      await using stores = await storage.open({ clock: systemClock, random: systemRandom });
      expect(await Array.fromAsync(stores.records.list())).toEqual([]);
      expect(await runCommand("import", env, ...legacy.args)).toMatchObject({
        status: 1,
        output: `FOUND  backup ${torn.id}: the ciphertext is missing\nTook over 1 backups; 0 were taken over before. 1 findings.\n`,
      });
      const verified = await runCommand("import", env, ...legacy.args, "--json", "--verify");
      expect(JSON.parse(verified.output)).toEqual({ findings, imported: 0, alreadyThere: 1 });
    });

    test("end with 2 when bucket or table is not there", async () => {
      await using legacy = await newLegacyStores();
      await using storage = await driver.environment();
      const env = { ...legacy.env, ...storage.env };
      const noBucket = await runCommand("import", env, "--bucket", "no-such-bucket", "--table", "t");
      expect(noBucket).toMatchObject({ status: 2, output: "" });
      expect(noBucket.errors).toContain(
        "the bucket no-such-bucket of the other service cannot be used: it does not exist",
      );
      const bucket = legacy.location.bucket;
      const noTable = await runCommand(
        "import",
        env,
        "--bucket",
        bucket,
        "--table",
        "no-such-table",
        "--json",
      );
      expect(noTable).toMatchObject({ status: 2, errors: "" });
      expect(JSON.parse(noTable.output)).toEqual({
        findings: [],
        error: expect.stringContaining("the table no-such-table of the other service does not exist"),
      });
    });
  });

test("a dry run into a data folder that is not there makes none", async () => {
  await using legacy = await newLegacyStores();
  await legacy.add(legacyUser());
  const folder = await mkdtemp(join(tmpdir(), "backup-service-"));
  const env = { ...legacy.env, STORAGE_DRIVER: "local", DATA_DIR: join(folder, "data") };
  expect(await runCommand("import", env, ...legacy.args, "--dry-run")).toMatchObject({
    status: 0,
    output: "Would take over 1 backups; 0 were taken over before. No findings.\n",
  });
  expect(existsSync(env.DATA_DIR)).toBe(false);
  const verified = await runCommand("import", env, ...legacy.args, "--verify");
  expect(verified).toMatchObject({ status: 2, output: "" });
  expect(verified.errors).toContain("there are no backups in");
  expect(await readdir(folder)).toEqual([]);
  await rm(folder, { recursive: true });
});

test("the commands end with 2 and say what is wrong with their arguments", async () => {
  const own = { STORAGE_DRIVER: "aws", AWS_REGION: "eu-west-1", BACKUP_S3_BUCKET: "own" };
  for (const [args, env, message] of [
    [["--bucket", "b"], {}, "name the bucket and the table of the other service"],
    [
      ["--bucket", "b", "--table", "t", "--rate", "none"],
      {},
      "--rate takes a whole number of calls a second",
    ],
    [["--bucket", "b", "--table", "t"], {}, "name the region of the other service"],
    [["--bucket", "own", "--table", "t"], own, "this bucket or table is the service's own"],
    [
      ["--bucket", "b", "--table", "backup-service-backups"],
      own,
      "this bucket or table is the service's own",
    ],
    [
      ["--bucket", "b", "--table", "t", "--endpoint", "elsewhere"],
      own,
      "--endpoint takes an http or https URL",
    ],
    [
      ["--bucket", "b", "--table", "t", "--endpoint", "http://"],
      own,
      "--endpoint takes an http or https URL",
    ],
    [["--bukket", "b"], {}, "Unknown option '--bukket'"],
  ] as const)
    for (const name of ["import", "export"]) {
      const { status, errors } = await runCommand(name, env, ...args);
      expect({ name, args, status, errors }).toEqual({
        name,
        args,
        status: 2,
        errors: expect.stringContaining(message),
      });
    }
  const both = await runCommand("import", {}, "--bucket", "b", "--table", "t", "--verify", "--dry-run");
  expect(both).toMatchObject({ status: 2, errors: expect.stringContaining("leave --dry-run out") });
  for (const [time, message] of [
    ["yesterday", "--since takes a time such as"],
    ["1", "--since takes a time such as"],
    ["2025-01-02", "--since takes a time such as"],
    ["2025-01-02T03:04:05", "--since takes a time such as"],
    ["2025-13-02T03:04:05Z", "--since takes a time such as"],
    ["9999-01-02T03:04:05Z", "--since is in the future"],
  ] as const) {
    const since = await runCommand("import", {}, "--bucket", "b", "--table", "t", "--since", time);
    expect(since).toMatchObject({ status: 2, errors: expect.stringContaining(message) });
  }
  for (const name of ["import", "export"])
    expect(await runCommand(name, {}, "--help")).toMatchObject({
      status: 0,
      errors: "",
      output: expect.stringContaining("Usage:"),
    });
});
