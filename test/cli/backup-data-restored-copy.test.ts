/** A copy of a data folder that a service is started on: what it must not accept again, and what must not be lost. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSweep } from "../../src/maintenance/sweep.ts";
import { systemRandom } from "../../src/runtime/clock.ts";
import { copyData } from "../../src/storage/local/copy/data.ts";
import { openLocalRecords } from "../../src/storage/local/records.ts";
import { DRIVERS, type TestStorage } from "../drivers.ts";
import { toEarlierSchema } from "../support/earlier-schema.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { created, newAccount } from "../support/factors.ts";
import { newLocalStorage } from "../support/local-storage.ts";
import { OidcIssuer } from "../support/oidc-issuer.ts";
import { startService } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { addSyncFactorRequest, recovered, solved, syncPayload, userWithBackup } from "../support/users.ts";
import { runCommand } from "./run-command.ts";

const local = DRIVERS.find((driver) => driver.name === "local");
const MINUTE_MS = 60_000;
const MARK = ".backup-data";

interface SiteOptions {
  readonly clock?: SettableClock;
  readonly env?: Readonly<Record<string, string>>;
}

/** A service with one backup on a data folder, a copy of that folder, and one clock for the services on both. */
async function newSite({ clock = new SettableClock(Date.now()), env = {} }: SiteOptions = {}) {
  if (local === undefined) throw new Error("the local driver is not tested");
  const original = await newLocalStorage();
  const parent = await mkdtemp(join(tmpdir(), "backup-service-"));
  const target = join(parent, "copy");
  const copy: TestStorage = { ...original, env: { ...original.env, DATA_DIR: target } };
  const backUp = () => runCommand("backup-data", original.env, target);
  const startOn = (storage: TestStorage) => startService(local, { storage, clock, env });
  const first = await startOn(original);
  const user = await userWithBackup(first.client);
  expect(await backUp()).toMatchObject({ status: 0 });
  let isRunning = true;
  const stopFirst = async () => {
    if (isRunning) await first[Symbol.asyncDispose]();
    isRunning = false;
  };
  return {
    dataDir: original.dataDir,
    env: original.env,
    target,
    clock,
    /** The service on the original, and the user whose backup is on it. */
    first,
    user,
    stopFirst,
    startOriginal: () => startOn(original),
    startCopy: () => startOn(copy),
    /** Brings the copy up to date. */
    backUp,
    doctor: (...args: string[]) => runCommand("doctor", copy.env, ...args),
    async [Symbol.asyncDispose]() {
      await stopFirst();
      await original[Symbol.asyncDispose]();
      await rm(parent, { recursive: true });
    },
  };
}

if (local !== undefined) {
  describe("a service on a restored copy", () => {
    test("refuses every proof that may have been used since the copy, in every process on the folder", async () => {
      const clock = new SettableClock(Date.now());
      await using issuer = new OidcIssuer(clock);
      await using site = await newSite({ clock, env: issuer.env });
      const { first, user } = site;
      const account = newAccount("GOOGLE", issuer);
      await created(first.client, account);
      const { syncFactorToken } = await recovered(first.client, user);
      const proof = await solved(first.client, "retrieve", user.main);
      expect(await site.backUp()).toMatchObject({ status: 0 });

      clock.advance(MINUTE_MS);
      const session = createFactorKeypair();
      const idToken = issuer.token("GOOGLE", session.publicKey, { claims: { sub: account.sub } });
      const byAccount = async ({ client }: typeof first) => {
        const { challenge, token } = (await client.keypairChallenge("verify-factor")).ok();
        const options = { keypair: session, token: idToken };
        return client.verifyFactor({
          authorization: account.authorize(challenge, options),
          challengeToken: token,
        });
      };
      const phone = createFactorKeypair();
      const joining = async ({ client }: typeof first) =>
        client.addSyncFactor(await addSyncFactorRequest(client, phone, syncFactorToken));
      (await byAccount(first)).ok();
      (await first.client.retrieve(proof)).ok();
      (await joining(first)).ok();
      expect((await first.client.retrieve(proof)).code()).toBe("already_used");
      await site.stopFirst();

      clock.advance(MINUTE_MS);
      await using second = await site.startCopy();
      clock.advance(MINUTE_MS);
      await using third = await site.startCopy();
      for (const service of [second, third]) {
        expect((await service.client.retrieve(proof)).code()).toBe("jwt_error");
        expect((await byAccount(service)).code()).toBe("oidc_token_verification_error");
        expect((await joining(service)).code()).toBe("token_not_found");
      }
      const fresh = await solved(second.client, "retrieve", user.main);
      const { metadata } = (await third.client.retrieve(fresh)).ok();
      expect(metadata.syncFactors).toHaveLength(1);
    });

    test("continues to accept what it has issued itself, after a restart too", async () => {
      await using site = await newSite();
      const { clock, user } = site;
      await site.stopFirst();
      clock.advance(MINUTE_MS);
      const second = await site.startCopy();
      const proof = await solved(second.client, "retrieve", user.main);
      await second[Symbol.asyncDispose]();
      clock.advance(MINUTE_MS);
      await using third = await site.startCopy();
      (await third.client.retrieve(proof)).ok();
      expect(await third.services.restores()).toHaveLength(1);
    });

    test("does so where only the database was restored, and keeps the blobs that came since", async () => {
      await using site = await newSite();
      const { clock, first, user, target } = site;
      const proof = await solved(first.client, "retrieve", user.main);
      const lost = await userWithBackup(first.client);
      await site.stopFirst();
      for (const suffix of ["", "-wal", "-shm"])
        await rm(join(site.dataDir, `records.sqlite${suffix}`), { force: true });
      await copyFile(join(target, "records.sqlite"), join(site.dataDir, "records.sqlite"));

      clock.advance(MINUTE_MS);
      await using second = await site.startOriginal();
      expect((await second.client.retrieve(proof)).code()).toBe("jwt_error");
      expect((await second.client.backupStatus({ backupId: lost.account.backupAccountId })).code()).toBe(
        "not_found",
      );
      clock.advance(48 * 60 * MINUTE_MS);
      const later = await userWithBackup(second.client);
      const sweep = createSweep({ ...second.services, ...second.services.stores });
      await sweep();
      expect(await sweep()).toMatchObject({ unreferencedBlobs: 0, leftAlone: 1 });
      expect(await Array.fromAsync(second.services.stores.blobs.list())).toHaveLength(3);
      expect(later.account.backupAccountId).not.toBe(lost.account.backupAccountId);
    });

    test("does so where the database was restored from any copy that is older than the last start", async () => {
      await using site = await newSite();
      const { clock, user, dataDir } = site;
      const database = join(dataDir, "records.sqlite");
      const source = new Database(database);
      source.query("VACUUM INTO ?").run(join(dataDir, "saved"));
      source.close();
      await site.stopFirst();

      clock.advance(MINUTE_MS);
      const second = await site.startOriginal();
      const lost = await userWithBackup(second.client);
      const proof = await solved(second.client, "retrieve", user.main);
      (await second.client.retrieve(proof)).ok();
      await second[Symbol.asyncDispose]();
      for (const suffix of ["", "-wal", "-shm"]) await rm(`${database}${suffix}`, { force: true });
      await copyFile(join(dataDir, "saved"), database);

      clock.advance(MINUTE_MS);
      await using third = await site.startOriginal();
      expect((await third.client.retrieve(proof)).code()).toBe("jwt_error");
      expect((await third.client.backupStatus({ backupId: lost.account.backupAccountId })).code()).toBe(
        "not_found",
      );
      clock.advance(48 * 60 * MINUTE_MS);
      await userWithBackup(third.client);
      const sweep = createSweep({ ...third.services, ...third.services.stores });
      await sweep();
      expect(await sweep()).toMatchObject({ unreferencedBlobs: 0, leftAlone: 1 });
    });

    test("does not stop for a clock that was ahead when the copy was restored", async () => {
      await using site = await newSite();
      const { clock, user } = site;
      await site.stopFirst();
      const nowMs = clock.nowMs();
      clock.set(nowMs + 365 * 24 * 60 * MINUTE_MS);
      await (await site.startCopy())[Symbol.asyncDispose]();
      clock.set(nowMs + MINUTE_MS);
      await using second = await site.startCopy();
      expect((await recovered(second.client, user)).metadata.id).toBe(user.account.backupAccountId);
    });
  });

  describe("a service that found itself on a copy while its clock was wrong, and the clock is set", () => {
    test("continues to serve when it was ahead", async () => {
      await using site = await newSite();
      const { clock, user } = site;
      await site.stopFirst();
      const nowMs = clock.nowMs();
      clock.set(nowMs + 365 * 24 * 60 * MINUTE_MS);
      await using second = await site.startCopy();
      clock.set(nowMs);
      clock.advance(MINUTE_MS);
      expect((await recovered(second.client, user)).metadata.id).toBe(user.account.backupAccountId);
    });

    test("refuses the proofs from before the restore when it was behind", async () => {
      await using site = await newSite();
      const { clock, first, user } = site;
      const proof = await solved(first.client, "retrieve", user.main);
      (await first.client.retrieve(proof)).ok();
      await site.stopFirst();
      clock.advance(MINUTE_MS);
      const nowMs = clock.nowMs();
      clock.set(nowMs - 60 * MINUTE_MS);
      await using second = await site.startCopy();
      clock.set(nowMs);
      clock.advance(1_000);
      expect((await second.client.retrieve(proof)).code()).toBe("jwt_error");
      await recovered(second.client, user);
    });
  });

  describe("backup-data and a restored folder", () => {
    test("refuses it once a service was started there, and leaves everything as it is", async () => {
      await using site = await newSite();
      const { user, target } = site;
      expect(await readdir(target)).toContain(MARK);
      const restored = await site.startCopy();
      expect(await readdir(target)).not.toContain(MARK);
      const late = await userWithBackup(restored.client);
      (await restored.client.sync(await syncPayload(restored.client, user), Buffer.from("newer"))).ok();
      await restored[Symbol.asyncDispose]();

      const refused = await site.backUp();
      expect(refused).toMatchObject({ status: 2, output: "" });
      expect(refused.errors).toContain(
        "if a service was started on it, it has newer backups, which a copy would delete",
      );
      await writeFile(join(target, MARK), ""); // as after a power failure that brought the mark back
      expect((await site.backUp()).errors).toContain("is not a copy any more");
      toEarlierSchema(target, 2); // as after the start of an earlier version
      expect((await site.backUp()).errors).toContain("is not a copy any more");

      await using again = await site.startCopy();
      for (const each of [user, late]) await recovered(again.client, each);
      expect(Buffer.from((await recovered(again.client, user)).backup, "base64").toString()).toBe("newer");
      await site.stopFirst();
    });

    test("brings a copy up to date that only the doctor has opened", async () => {
      await using site = await newSite();
      for (const args of [["--verify"], ["--repair"], []])
        expect(await site.doctor(...args)).toMatchObject({ status: 0 });
      expect(await readdir(site.target)).toContain(MARK);
      await userWithBackup(site.first.client);
      expect(await site.backUp()).toMatchObject({ status: 0, output: expect.stringContaining("1 blobs") });
      expect((await site.doctor()).output).toContain("2 backups");
    });

    test("refuses the copy of another installation, and leaves it as it is", async () => {
      await using site = await newSite();
      await using other = await newSite();
      const mark = join(site.target, "blobs", "installation");
      const moved = `${mark}.moved`;
      const record = new Database(join(site.target, "records.sqlite"));
      const [id] = record.query("SELECT value FROM marks WHERE name = 'installation-id'").values()[0] ?? [];
      // each of the two marks is enough
      for (const [hide, show] of [
        [() => rename(mark, moved), () => rename(moved, mark)],
        [
          async () => record.run("DELETE FROM marks WHERE name = 'installation-id'"),
          async () => record.run("INSERT INTO marks VALUES ('installation-id', ?)", [`${id}`]),
        ],
      ] as const) {
        await hide();
        const { status, errors } = await runCommand("backup-data", other.env, site.target);
        expect({ status, errors }).toEqual({
          status: 2,
          errors: expect.stringContaining("is a copy of another installation"),
        });
        await show();
      }
      record.close();
      expect((await site.doctor("--verify")).output).toContain("Healthy: checked 1 backups");

      const blobs = join(site.dataDir, "blobs", "installation");
      await copyFile(join(other.dataDir, "blobs", "installation"), blobs);
      expect((await site.backUp()).errors).toContain("are of two installations");
    });

    test("refuses a source whose blobs are not there, and leaves the copy as it is", async () => {
      await using site = await newSite();
      const { clock, first, user } = site;
      (await first.client.sync(await syncPayload(first.client, user), Buffer.from("newer"))).ok();
      await site.stopFirst();
      await rm(join(site.dataDir, "blobs"), { recursive: true });
      await mkdir(join(site.dataDir, "blobs")); // what a disk that is not mounted leaves

      const refused = await site.backUp();
      expect(refused).toMatchObject({ status: 2, output: "" });
      expect(refused.errors).toContain("are missing: is a disk not mounted?");
      await using second = await site.startCopy();
      clock.advance(1_000);
      expect((await recovered(second.client, user)).backup).toBe(Buffer.from(user.backup).toString("base64"));
    });

    test("takes over a copy that an earlier version made, which has the mark in its folder only", async () => {
      await using site = await newSite();
      const { clock, first, user, target } = site;
      toEarlierSchema(target, 1);
      expect(await site.doctor()).toMatchObject({ status: 0 });
      expect(await site.backUp()).toMatchObject({ status: 0 });
      toEarlierSchema(target, 1);
      expect(await site.backUp()).toMatchObject({ status: 0 });
      toEarlierSchema(target, 1);
      const proof = await solved(first.client, "retrieve", user.main);
      await site.stopFirst();
      clock.advance(MINUTE_MS);
      await rm(join(target, "blobs", "installation"));
      await using second = await site.startCopy();
      expect((await second.client.retrieve(proof)).code()).toBe("jwt_error");
      expect((await site.backUp()).status).toBe(2);
    });
  });

  describe("a service on a copy that is not whole", () => {
    test("does not start on one that was interrupted before it was complete, and changes nothing", async () => {
      await using site = await newSite();
      await rm(join(site.target, "records.sqlite"));
      const before = (await readdir(site.target)).sort();
      const starting = site.startCopy();
      await expect(starting).rejects.toThrow("was interrupted before it was complete");
      expect((await readdir(site.target)).sort()).toEqual(before);
      expect(await site.backUp()).toMatchObject({ status: 0 }); // continues the interrupted copy
      await (await site.startCopy())[Symbol.asyncDispose]();
    });

    test("starts on one whose update was interrupted: it has the earlier state", async () => {
      await using site = await newSite();
      const { user } = site;
      const half = `records.sqlite.${crypto.randomUUID()}`;
      await writeFile(join(site.target, half), "half a database");
      await using second = await site.startCopy();
      site.clock.advance(1_000);
      await recovered(second.client, user);
      expect(await readdir(site.target)).not.toContain(half);
    });

    test("starts on one without marks whose update was interrupted when the source had them", async () => {
      await using site = await newSite();
      const { first, user } = site;
      const database = new Database(join(site.target, "records.sqlite"));
      database.run("DELETE FROM marks WHERE name = 'installation-id'");
      database.close();
      await rm(join(site.target, "blobs", "installation"));
      await userWithBackup(first.client);
      const interrupted = copyData({
        source: site.dataDir,
        target: site.target,
        onProgress: () => {
          throw new Error("interrupted");
        },
      });
      await expect(interrupted).rejects.toThrow("interrupted");
      await using second = await site.startCopy();
      site.clock.advance(1_000);
      await recovered(second.client, user);
    });

    test("does not start while a copy is being made there", async () => {
      await using site = await newSite();
      const copying = new Database(join(site.target, MARK));
      copying.run("BEGIN EXCLUSIVE");
      await expect(site.startCopy()).rejects.toThrow("a copy is being made in");
      copying.close();
      expect(await readdir(site.target)).toContain(MARK);
    });

    test("starts when several do at once, and one of them takes the mark away", async () => {
      await using site = await newSite();
      const { target: dataDir, clock } = site;
      const opened = await Promise.all(
        Array.from({ length: 4 }, () =>
          openLocalRecords({ dataDir, clock, random: systemRandom, serves: true }),
        ),
      );
      for (const records of opened) {
        expect(await records.restores()).toHaveLength(1);
        await records[Symbol.asyncDispose]();
      }
      expect(await readdir(dataDir)).not.toContain(MARK);
    });
  });
}
