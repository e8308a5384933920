import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { progressText, textReport } from "../../src/cli/doctor-output.ts";
import { Counts } from "../../src/maintenance/doctor/examination.ts";
import { finding } from "../../src/maintenance/doctor/findings.ts";
import { systemRandom } from "../../src/runtime/clock.ts";
import { version } from "../../src/runtime/version.ts";
import { DRIVERS, type TestStorage } from "../drivers.ts";
import { examined, metadataOf, newStores, storeBackup } from "../maintenance/doctor/examined-stores.ts";
import { startService } from "../support/service.ts";
import { recovered, userWithBackup } from "../support/users.ts";
import { underLoad } from "./load.ts";
import { runCommand } from "./run-command.ts";

const FORMATS = {
  local: { text: "database schema 3", format: { name: "database schema", version: 3 } },
  aws: {
    text: "layout of tables and bucket 1",
    format: { name: "layout of tables and bucket", version: 1 },
  },
};

const doctor = (storage: TestStorage, ...args: string[]) => runCommand("doctor", storage.env, ...args);

for (const driver of DRIVERS)
  describe(`bun run doctor on ${driver.name}`, () => {
    test("ends with 0 when all is well, with 1 while findings are left, and with 0 after their repair", async () => {
      await using stores = await newStores(driver.environment);
      await storeBackup(stores, "b1");
      const sound = await doctor(stores.storage, "--verify");
      expect(sound).toMatchObject({ status: 0, errors: "" });
      expect(sound.output).toBe(
        "Healthy: checked 1 backups, 2 index rows, 1 blobs.\n" +
          `Stored format: ${FORMATS[driver.name].text}, metadata schema 1; this is version ${version}.\n` +
          "Read 1 blobs (0.0 MiB) and checked their hashes.\n",
      );

      await storeBackup(stores, "b2", { claim: [] });
      const broken = await doctor(stores.storage);
      expect(broken).toMatchObject({ status: 1, errors: "" });
      expect(broken.output).toContain("FOUND     factor-without-row: a listed factor is not in the index");
      expect(broken.output).toContain("backup b2, MAIN factor EC_KEYPAIR ");
      expect(broken.output).toContain("--repair would add the index row");
      expect(broken.output).toContain("2 findings are left: checked 2 backups");

      const repaired = await doctor(stores.storage, "--repair");
      expect(repaired).toMatchObject({ status: 0, errors: "" });
      expect(repaired.output).toContain("done: add the index row");
      expect(repaired.output).toContain("Repaired 2.");
      expect(await doctor(stores.storage)).toMatchObject({ status: 0 });
    });

    test("--json prints one document", async () => {
      await using stores = await newStores(driver.environment);
      const { blob } = await storeBackup(stores, "b1", { metadata: metadataOf("b2", {}), claim: [] });
      await stores.storage.overwriteBlob(blob.key, randomBytes(blob.size));
      const { status, output, errors } = await doctor(stores.storage, "--json", "--verify", "--repair");
      expect({ status, errors }).toEqual({ status: 1, errors: "" });
      const nothing = { factor: null, remedy: null, repaired: false };
      expect(JSON.parse(output)).toEqual({
        findings: [
          {
            ...nothing,
            kind: "metadata-of-another-backup",
            backupId: "b1",
            blobKey: null,
            detail: "its id is b2",
          },
          {
            ...nothing,
            kind: "blob-damaged",
            backupId: "b1",
            blobKey: blob.key,
            detail: expect.stringContaining("SHA-256"),
          },
        ],
        summary: {
          healthy: false,
          left: 2,
          repaired: 0,
          verify: true,
          repair: true,
          format: FORMATS[driver.name].format,
          version,
          counts: {
            metadataVersions: { 1: 1 },
            indexRows: 0,
            ofUnknownApps: [],
            backups: 1,
            deletedBackups: 0,
            blobs: 1,
            verifiedBlobs: 0,
            verifiedBytes: expect.any(Number),
            busyBackups: 0,
            expiredRows: 0,
          },
        },
      });
    });

    test("ends with 2 when the storage is not there", async () => {
      await using storage = await driver.environment();
      const folder = await mkdtemp(join(tmpdir(), "backup-service-"));
      const elsewhere = { DATA_DIR: folder, DYNAMODB_TABLE_BACKUPS: "no-such-table" };
      const there = { ...storage, env: { ...storage.env, ...elsewhere } };
      const text = await doctor(there);
      expect(text).toMatchObject({ status: 2, output: "" });
      expect(text.errors).toStartWith("The examination could not be finished: ");
      const json = await doctor(there, "--json");
      expect(json).toMatchObject({ status: 2, errors: "" });
      expect(JSON.parse(json.output)).toEqual({ findings: [], error: expect.any(String) });
      expect(await readdir(folder)).toEqual([]);
      await rm(folder, { recursive: true });
    });

    test("while a service runs under load finds nothing and breaks nothing", async () => {
      await using service = await startService(driver);
      service.clock.set(Date.now()); // as the command has it, which would take other times for expired
      const users = await Promise.all(Array.from({ length: 5 }, () => userWithBackup(service.client)));
      await using opened = await service.storage.open({ clock: service.clock, random: systemRandom });
      const stores = { ...opened, clock: service.clock };
      await underLoad(service, 4, async (load) => {
        // one after the other: the command waits 6 s for a store, which on a busy machine is no time for both
        const { output, status } = await doctor(service.storage, "--json", "--verify");
        expect(JSON.parse(output)).toMatchObject({ findings: [], summary: { healthy: true } });
        expect(status).toBe(0);
        const before = load.operations;
        do {
          const { findings } = await examined(stores, { verify: true, repair: true });
          expect(findings).toEqual([]);
        } while (load.operations < before + 60);
      });
      for (const user of users)
        expect((await recovered(service.client, user)).backup).toBe(
          Buffer.from(user.backup).toString("base64"),
        );
      expect((await examined(stores, { verify: true })).findings).toEqual([]);
    });
  });

test("bun run doctor ends with 2 and says what is wrong with its arguments and variables", async () => {
  const wrong = await runCommand("doctor", {}, "--dril");
  expect(wrong).toMatchObject({ status: 2, output: "" });
  expect(wrong.errors).toContain("Usage: bun run doctor [--verify] [--repair");
  const unset = await runCommand("doctor", {});
  expect(unset).toMatchObject({ status: 2, output: "" });
  expect(unset.errors).toContain("For the data of a service in development: STORAGE_DRIVER=local");
  const empty = await runCommand("doctor", { STORAGE_DRIVER: "local", DATA_DIR: "/nonexistent" });
  expect(empty.errors).toContain("no backups in /nonexistent: set DATA_DIR");
  const aws = await runCommand("doctor", { APP_ENV: "production" });
  expect(aws.errors).toMatch(/AWS_REGION is required .*STORAGE_DRIVER=local.*\nBACKUP_S3_BUCKET is required/);
  const help = await runCommand("doctor", {}, "--help");
  expect(help).toMatchObject({ status: 0, errors: "", output: expect.stringContaining("Usage:") });
});

test("the progress has counts, bytes and rates, without what an earlier run has done", () => {
  const since = Object.assign(new Counts(), { indexRows: 10, verifiedBytes: 2 ** 20 });
  const counts = Object.assign(new Counts(), { indexRows: 20, backups: 5, deletedBackups: 1 });
  expect(progressText(counts, { verify: false, since, elapsedMs: 2_000 })).toBe(
    "checked 20 index rows, 5 backups, 1 deleted ones, 8/s",
  );
  Object.assign(counts, { verifiedBlobs: 3, verifiedBytes: 4 * 2 ** 20, blobs: 7 });
  expect(progressText(counts, { verify: true, since, elapsedMs: 2_000 })).toBe(
    "checked 20 index rows, 5 backups, 1 deleted ones, 8/s, read 3 blobs, 4.0 MiB, 1.5 MiB/s, listed 7 blobs",
  );
  expect(progressText(new Counts(), { verify: false, since: new Counts(), elapsedMs: 0 })).toEndWith(" 0/s");
});

test("a finding that is about no backup takes no line for one", () => {
  const written: string[] = [];
  const write = (text: string) => void written.push(text);
  textReport(write, write).found(finding("events-not-delivered", { detail: "3 events wait" }));
  expect(written).toEqual([
    "FOUND     events-not-delivered: the webhook does not take events (3 events wait)\n          left to you\n",
  ]);
});
