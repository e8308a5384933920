import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import { openLocalBlobs } from "../../src/storage/local/blobs.ts";
import { copyData } from "../../src/storage/local/copy/data.ts";
import { migrate } from "../../src/storage/local/migrations.ts";
import { openLocalRecords } from "../../src/storage/local/records.ts";
import type { Fixture } from "../contract/fixture.ts";
import { DRIVERS } from "../drivers.ts";
import { newStores, storeBackup } from "../maintenance/doctor/examined-stores.ts";
import { newLocalStorage } from "../support/local-storage.ts";
import { startService } from "../support/service.ts";
import { recovered, userWithBackup } from "../support/users.ts";
import { underLoad } from "./load.ts";
import { runCommand } from "./run-command.ts";

const local = DRIVERS.find((driver) => driver.name === "local");

interface Site extends AsyncDisposable {
  readonly stores: Fixture;
  readonly dataDir: string;
  /** A folder that is not there yet. */
  readonly target: string;
  /** To `target` unless other arguments are given. */
  backUp(...args: string[]): ReturnType<typeof runCommand>;
}

async function newSite(): Promise<Site> {
  const storage = await newLocalStorage();
  const stores = await newStores(async () => storage);
  const parent = await mkdtemp(join(tmpdir(), "backup-service-"));
  const target = join(parent, "backups", "copy");
  return {
    stores,
    dataDir: storage.dataDir,
    target,
    backUp: (...args) => runCommand("backup-data", storage.env, ...(args.length === 0 ? [target] : args)),
    async [Symbol.asyncDispose]() {
      await stores[Symbol.asyncDispose]();
      await rm(parent, { recursive: true });
    },
  };
}

const verify = (dataDir: string) =>
  runCommand("doctor", { STORAGE_DRIVER: "local", DATA_DIR: dataDir }, "--verify", "--json");

/** Damages a file as a disk does that loses a bit: its size stays. */
async function flipBit(path: string): Promise<void> {
  const bytes = await readFile(path);
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

/** Backup ids and their content, as they are after a restore. */
async function contentOf(dataDir: string): Promise<Record<string, string>> {
  await using records = await openLocalRecords({ dataDir, clock: systemClock, random: systemRandom });
  await using blobs = await openLocalBlobs({ dataDir, random: systemRandom });
  const found: Record<string, string> = {};
  for await (const { backupId, blobs: refs } of records.list())
    for (const ref of refs)
      found[backupId] =
        `${found[backupId] ?? ""}${Buffer.from(await new Response(await blobs.get(ref)).bytes()).toString("hex")}`;
  return found;
}

async function replaceBlob({ records, blobs }: Fixture, backupId: string): Promise<void> {
  const stored = await records.read(backupId);
  if (stored === null) throw new Error(`${backupId} is not stored`);
  const blob = await blobs.put(backupId, [randomBytes(500)]);
  const expect = { revision: stored.revision };
  await records.commit({
    backupId,
    expect,
    next: { blob, metadata: stored.metadata, versions: stored.versions },
  });
  await blobs.delete(stored.blob.key);
}

if (local !== undefined)
  describe("bun run backup-data", () => {
    test("copies everything, and no other user can read any of it", async () => {
      await using site = await newSite();
      for (let index = 0; index < 30; index++) await storeBackup(site.stores, `b${index}`);
      const key = randomBytes(32).toString("base64");
      await writeFile(join(site.dataDir, "challenge-token-key"), key, { mode: 0o600 });
      const { status, output, errors } = await site.backUp();
      expect({ status, errors }).toEqual({ status: 0, errors: "" });
      expect(output).toContain("the database and 30 blobs");
      for (const path of [".", ...(await readdir(site.target, { recursive: true }))]) {
        const found = await stat(join(site.target, path));
        expect((found.mode & 0o777).toString(8)).toBe(found.isDirectory() ? "700" : "600");
      }

      expect(await readFile(join(site.target, "challenge-token-key"), "utf8")).toBe(key);
      expect(await verify(site.target)).toMatchObject({ status: 0 });
      expect(await contentOf(site.target)).toEqual(await contentOf(site.dataDir));
      const database = new Database(join(site.target, "records.sqlite"), { readonly: true });
      expect(database.query("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
      const original = new Database(join(site.dataDir, "records.sqlite"), { readonly: true });
      for (const query of ["PRAGMA user_version", "SELECT name, sql FROM sqlite_schema ORDER BY name"])
        expect(database.query(query).all()).toEqual(original.query(query).all());
      database.close();
      original.close();
    });

    test("brings an earlier copy up to date, and copies only what is new", async () => {
      await using site = await newSite();
      for (const id of ["b1", "b2", "b3"]) await storeBackup(site.stores, id);
      await site.backUp();
      expect(await verify(site.target)).toMatchObject({ status: 0 }); // opens it, which must not change it
      await replaceBlob(site.stores, "b2");
      await storeBackup(site.stores, "b4");
      const { status, output } = await site.backUp();
      expect(status).toBe(0);
      expect(output).toContain("the database and 2 blobs");
      expect(output).toContain("2 blobs were already present, 1 were no longer needed");
      expect(await verify(site.target)).toMatchObject({ status: 0 });
      expect(await contentOf(site.target)).toEqual(await contentOf(site.dataDir));
    });

    test("verifies in 16 runs all that earlier ones brought, and copies again what is damaged", async () => {
      await using site = await newSite();
      const keys: string[] = [];
      for (let index = 0; index < 40; index++)
        keys.push((await storeBackup(site.stores, `b${index}`)).blob.key);
      await site.backUp();
      for (const key of keys) await flipBit(join(site.target, "blobs", key.slice(0, 2), key));
      const reported: string[] = [];
      for (let run = 0; run < 16; run++) {
        const { status, output, errors } = await site.backUp();
        expect(status).toBe(0);
        const repaired = [...errors.matchAll(/the blob (\S+) was damaged in the copy and was copied again/g)];
        expect(output).toContain(`${repaired.length} of the blobs already present were verified`);
        reported.push(...repaired.map(([, key = ""]) => key));
      }
      expect(reported.toSorted()).toEqual(keys.toSorted()); // each once
      expect(await verify(site.target)).toMatchObject({ status: 0 });
    });

    test("verifies all of it with --verify, and keeps what the source cannot replace", async () => {
      await using site = await newSite();
      const damaged = await storeBackup(site.stores, "damaged");
      const gone = await storeBackup(site.stores, "gone");
      await storeBackup(site.stores, "sound");
      await site.backUp();
      for (const { blob } of [damaged, gone])
        await flipBit(join(site.target, "blobs", blob.key.slice(0, 2), blob.key));
      await site.stores.blobs.delete(gone.blob.key);
      const { status, output, errors } = await site.backUp("--verify", site.target);
      expect(status).toBe(1);
      expect(output).toContain("3 of the blobs already present were verified");
      expect(errors.trim().split("\n")).toEqual([
        `the blob ${damaged.blob.key} was damaged in the copy and was copied again`,
        `backup gone: the blob ${gone.blob.key} is missing and was not copied`,
      ]);
      const again = await site.backUp("--verify", site.target);
      expect(again).toMatchObject({ status: 1, output: expect.stringContaining("the database and 0 blobs") });
    });

    test("continues an interrupted copy, and copies again what has another size", async () => {
      await using site = await newSite();
      const { blob } = await storeBackup(site.stores, "b1");
      await site.backUp();
      const copied = join(site.target, "blobs", blob.key.slice(0, 2), blob.key);
      await writeFile(copied, "half of it");
      await writeFile(join(site.target, "records.sqlite.half"), "half a database");
      await writeFile(join(site.target, "blobs", "tmp", "half"), "half a blob");
      await rm(join(site.target, "records.sqlite"));
      expect(await site.backUp()).toMatchObject({ status: 0 });
      expect(await verify(site.target)).toMatchObject({ status: 0 });
      expect((await readdir(site.target)).sort()).toEqual([".backup-data", "blobs", "records.sqlite"]);
      expect(await readdir(join(site.target, "blobs", "tmp"))).toEqual([]);
    });

    test("of a service under load is a state that it had, and the doctor finds nothing in it", async () => {
      await using service = await startService(local);
      service.clock.set(Date.now());
      const users = await Promise.all(Array.from({ length: 20 }, () => userWithBackup(service.client)));
      const parent = await mkdtemp(join(tmpdir(), "backup-service-"));
      const target = join(parent, "copy");
      const rounds = await underLoad(service, 6, async (load) => {
        let done = 0;
        for (let before = 0; done < 3 || load.operations < before + 40; done++) {
          if (done === 2) before = load.operations;
          const { status, errors } = await runCommand("backup-data", service.storage.env, target);
          expect({ status, errors }).toEqual({ status: 0, errors: "" });
          const examination = await verify(target);
          expect(JSON.parse(examination.output)).toMatchObject({ findings: [] });
          expect(examination.status).toBe(0);
        }
        return done;
      });
      expect(rounds).toBeGreaterThan(2);

      await using restored = await startService(local, { env: { DATA_DIR: target } });
      restored.clock.set(Date.now());
      for (const user of users)
        expect((await recovered(restored.client, user)).backup).toBe(
          Buffer.from(user.backup).toString("base64"),
        );
      await rm(parent, { recursive: true });
    });

    test("reports which ciphertexts the source has lost, and copies the rest", async () => {
      await using site = await newSite();
      await storeBackup(site.stores, "sound");
      const missing = await storeBackup(site.stores, "missing");
      const damaged = await storeBackup(site.stores, "damaged");
      await site.stores.blobs.delete(missing.blob.key);
      await site.stores.storage.overwriteBlob(damaged.blob.key, randomBytes(1_000));
      const { status, errors } = await site.backUp();
      expect(status).toBe(1);
      expect(errors.trim().split("\n").sort()).toEqual([
        `backup damaged: the blob ${damaged.blob.key} is damaged and was not copied`,
        `backup missing: the blob ${missing.blob.key} is missing and was not copied`,
      ]);
      const { findings } = JSON.parse((await verify(site.target)).output);
      expect(findings.map(({ kind }: { kind: string }) => kind)).toEqual(["blob-missing", "blob-missing"]);
    });

    test("refuses folders that are no place for a copy, and leaves them as they are", async () => {
      await using site = await newSite();
      await storeBackup(site.stores, "b1");
      const parent = join(site.target, "..");
      await mkdir(join(parent, "full"), { recursive: true });
      await writeFile(join(parent, "full", "letter.txt"), "dear …");
      await symlink(site.dataDir, join(parent, "link"));
      for (const [folder, reason] of [
        [site.dataDir, "is inside the data folder"],
        [join(site.dataDir, "copy"), "is inside the data folder"],
        [join(parent, "link", "copy"), "is inside the data folder"],
        [join(site.dataDir, ".."), "the data folder that is to be copied is inside"],
        [join(parent, "full"), "is not empty, and not an earlier copy"],
      ] as const) {
        const { status, errors } = await site.backUp(folder);
        expect({ folder, status, reported: errors.includes(reason) }).toEqual({
          folder,
          status: 2,
          reported: true,
        });
      }
      expect(await readdir(join(parent, "full"))).toEqual(["letter.txt"]);
      expect((await readdir(site.dataDir)).filter((name) => !name.startsWith("records.sqlite"))).toEqual([
        "blobs",
      ]);
    });

    test("gives up when a service has started in the folder meanwhile, and leaves its database alone", async () => {
      await using site = await newSite();
      await storeBackup(site.stores, "b1");
      const { dataDir: source, target } = site;
      const path = join(target, "records.sqlite");
      const copying = copyData({
        source,
        target,
        onProgress() {
          const database = new Database(path); // by a service that opened the folder before there was a mark
          migrate(database);
          database.run("INSERT INTO restores VALUES (1, 2)");
          database.close();
        },
      });
      await expect(copying).rejects.toThrow("is not a copy any more");
      const database = new Database(path, { readonly: true });
      expect(database.query("SELECT * FROM restores").all()).toHaveLength(1);
      database.close();
    });

    test("refuses a copy that another process uses, and keeps it", async () => {
      await using site = await newSite();
      await storeBackup(site.stores, "b1");
      await site.backUp();
      const used = await openLocalRecords({
        dataDir: site.target,
        clock: systemClock,
        random: systemRandom,
      });
      await storeBackup(site.stores, "b2");
      const { status, errors } = await site.backUp();
      expect(status).toBe(2);
      expect(errors).toContain("is in use");
      expect(await used.read("b2")).toBeNull();
      await used[Symbol.asyncDispose]();

      const other = new Database(join(site.target, ".backup-data"));
      other.run("BEGIN EXCLUSIVE");
      expect((await site.backUp()).errors).toContain("another copy is being made");
      other.close();
      expect(Object.keys(await contentOf(site.target))).toEqual(["b1"]);
    });

    test("says what is wrong with its arguments and the source, and makes nothing", async () => {
      await using site = await newSite();
      for (const args of [[], ["a", "b"], ["--fast", "a"]]) {
        const { status, errors } = await runCommand("backup-data", {}, ...args);
        expect(status).toBe(2);
        expect(errors).toContain("Usage: bun run backup-data [--verify] <target folder>");
      }
      const nowhere = { STORAGE_DRIVER: "local", DATA_DIR: join(site.target, "none") };
      const absent = await runCommand("backup-data", nowhere, site.target);
      expect(absent).toMatchObject({ status: 2, errors: expect.stringContaining("there are no backups in") });
      const aws = { STORAGE_DRIVER: "aws", AWS_REGION: "eu-west-1", BACKUP_S3_BUCKET: "b" };
      const refused = await runCommand("backup-data", aws, site.target);
      expect(refused).toMatchObject({
        status: 2,
        errors: expect.stringContaining("only the embedded driver"),
      });
      await expect(stat(site.target)).rejects.toThrow("ENOENT");
    });
  });
