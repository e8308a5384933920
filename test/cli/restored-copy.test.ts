/** A copy of a data folder that a service is started on: what it must not accept again, and what must not be lost. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSweep } from "../../src/maintenance/sweep.ts";
import { systemRandom } from "../../src/runtime/clock.ts";
import { copyData } from "../../src/storage/local/copy/data.ts";
import { openLocalRecords } from "../../src/storage/local/records.ts";
import { DRIVERS, type TestStorage } from "../drivers.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { created, newAccount } from "../support/factors.ts";
import { newLocalStorage } from "../support/local-storage.ts";
import { OidcIssuer } from "../support/oidc-issuer.ts";
import { startService, type TestServiceOptions } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import {
  addSyncFactorRequest,
  newUser,
  recovered,
  solved,
  syncPayload,
  userWithBackup,
} from "../support/users.ts";
import { runCommand } from "./run-command.ts";

const local = DRIVERS.find((driver) => driver.name === "local");
const MINUTE_MS = 60_000;
const MARK = ".backup-data";

/** A data folder, a folder for its copy, and a clock for the services on both. */
async function newSite() {
  const original = await newLocalStorage();
  const parent = await mkdtemp(join(tmpdir(), "backup-service-"));
  const target = join(parent, "copy");
  const copy: TestStorage = { ...original, env: { ...original.env, DATA_DIR: target } };
  return {
    original,
    copy,
    target,
    clock: new SettableClock(Date.now()),
    backUp: (...args: string[]) => runCommand("backup-data", original.env, ...args, target),
    doctor: (...args: string[]) => runCommand("doctor", copy.env, ...args),
    async [Symbol.asyncDispose]() {
      await original[Symbol.asyncDispose]();
      await rm(parent, { recursive: true });
    },
  };
}

if (local !== undefined) {
  const start = (options: TestServiceOptions) => startService(local, options);

  describe("a service on a restored copy", () => {
    test("refuses every proof that may have been used since the copy, in every process on the folder", async () => {
      await using site = await newSite();
      const { clock, original, copy } = site;
      await using issuer = new OidcIssuer(clock);
      const env = issuer.env;
      const first = await start({ storage: original, clock, env });
      const user = await userWithBackup(first.client);
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
      await first[Symbol.asyncDispose]();

      clock.advance(MINUTE_MS);
      await using second = await start({ storage: copy, clock, env });
      clock.advance(MINUTE_MS);
      await using third = await start({ storage: copy, clock, env });
      for (const service of [second, third]) {
        expect((await service.client.retrieve(proof)).code()).toBe("jwt_error");
        expect((await byAccount(service)).code()).toBe("oidc_token_verification_error");
        expect((await joining(service)).code()).toBe("token_not_found");
      }
      const fresh = await solved(second.client, "retrieve", user.main);
      const { metadata } = (await third.client.retrieve(fresh)).ok();
      expect(metadata.syncFactors).toHaveLength(1);
    });

    test("goes on accepting what it has issued itself, after a restart too", async () => {
      await using site = await newSite();
      const { clock, original, copy } = site;
      const first = await start({ storage: original, clock });
      const user = await userWithBackup(first.client);
      await site.backUp();
      await first[Symbol.asyncDispose]();
      clock.advance(MINUTE_MS);
      const second = await start({ storage: copy, clock });
      const proof = await solved(second.client, "retrieve", user.main);
      await second[Symbol.asyncDispose]();
      clock.advance(MINUTE_MS);
      await using third = await start({ storage: copy, clock });
      (await third.client.retrieve(proof)).ok();
      expect(await third.services.restores()).toHaveLength(1);
    });

    test("does so where only the database was restored, and keeps the blobs that came since", async () => {
      await using site = await newSite();
      const { clock, original, target } = site;
      const first = await start({ storage: original, clock });
      const user = await userWithBackup(first.client);
      const proof = await solved(first.client, "retrieve", user.main);
      await site.backUp();
      const lost = await userWithBackup(first.client);
      await first[Symbol.asyncDispose]();
      for (const suffix of ["", "-wal", "-shm"])
        await rm(join(original.dataDir, `records.sqlite${suffix}`), { force: true });
      await copyFile(join(target, "records.sqlite"), join(original.dataDir, "records.sqlite"));

      clock.advance(MINUTE_MS);
      await using second = await start({ storage: original, clock });
      expect((await second.client.retrieve(proof)).code()).toBe("jwt_error");
      expect((await second.client.backupStatus({ backupId: lost.account.backupAccountId })).code()).toBe(
        "not_found",
      );
      clock.advance(48 * 60 * MINUTE_MS);
      const later = await userWithBackup(second.client);
      const sweep = createSweep(second.services);
      await sweep();
      expect(await sweep()).toMatchObject({ unreferencedBlobs: 0, leftAlone: 1 });
      expect(await Array.fromAsync(second.services.blobs.list())).toHaveLength(3);
      expect(later.account.backupAccountId).not.toBe(lost.account.backupAccountId);
    });

    test("does so where the database was restored from any copy that is older than the last start", async () => {
      await using site = await newSite();
      const { clock, original: storage } = site;
      const database = join(storage.dataDir, "records.sqlite");
      const first = await start({ storage, clock });
      const user = await userWithBackup(first.client);
      const source = new Database(database);
      source.query("VACUUM INTO ?").run(join(storage.dataDir, "saved"));
      source.close();
      await first[Symbol.asyncDispose]();

      clock.advance(MINUTE_MS);
      const second = await start({ storage, clock });
      const lost = await userWithBackup(second.client);
      const proof = await solved(second.client, "retrieve", user.main);
      (await second.client.retrieve(proof)).ok();
      await second[Symbol.asyncDispose]();
      for (const suffix of ["", "-wal", "-shm"]) await rm(`${database}${suffix}`, { force: true });
      await copyFile(join(storage.dataDir, "saved"), database);

      clock.advance(MINUTE_MS);
      await using third = await start({ storage, clock });
      expect((await third.client.retrieve(proof)).code()).toBe("jwt_error");
      expect((await third.client.backupStatus({ backupId: lost.account.backupAccountId })).code()).toBe(
        "not_found",
      );
      clock.advance(48 * 60 * MINUTE_MS);
      await userWithBackup(third.client);
      const sweep = createSweep(third.services);
      await sweep();
      expect(await sweep()).toMatchObject({ unreferencedBlobs: 0, leftAlone: 1 });
    });

    test("does not stop for a clock that was ahead when the copy was restored", async () => {
      await using site = await newSite();
      const { clock, original, copy } = site;
      const first = await start({ storage: original, clock });
      const user = await userWithBackup(first.client);
      await site.backUp();
      await first[Symbol.asyncDispose]();
      const nowMs = clock.nowMs();
      clock.set(nowMs + 365 * 24 * 60 * MINUTE_MS);
      await (await start({ storage: copy, clock }))[Symbol.asyncDispose]();
      clock.set(nowMs + MINUTE_MS);
      await using second = await start({ storage: copy, clock });
      expect((await recovered(second.client, user)).metadata.id).toBe(user.account.backupAccountId);
    });
  });

  describe("a service that found itself on a copy while its clock was wrong, and the clock is set", () => {
    test("goes on serving when it was ahead", async () => {
      await using site = await newSite();
      const { clock, original, copy } = site;
      const first = await start({ storage: original, clock });
      const user = await userWithBackup(first.client);
      await site.backUp();
      await first[Symbol.asyncDispose]();
      const nowMs = clock.nowMs();
      clock.set(nowMs + 365 * 24 * 60 * MINUTE_MS);
      await using second = await start({ storage: copy, clock });
      clock.set(nowMs);
      clock.advance(MINUTE_MS);
      expect((await recovered(second.client, user)).metadata.id).toBe(user.account.backupAccountId);
    });

    test("refuses the proofs from before the restore when it was behind", async () => {
      await using site = await newSite();
      const { clock, original, copy } = site;
      const first = await start({ storage: original, clock });
      const user = await userWithBackup(first.client);
      await site.backUp();
      const proof = await solved(first.client, "retrieve", user.main);
      (await first.client.retrieve(proof)).ok();
      await first[Symbol.asyncDispose]();
      clock.advance(MINUTE_MS);
      const nowMs = clock.nowMs();
      clock.set(nowMs - 60 * MINUTE_MS);
      await using second = await start({ storage: copy, clock });
      clock.set(nowMs);
      clock.advance(1_000);
      expect((await second.client.retrieve(proof)).code()).toBe("jwt_error");
      await recovered(second.client, user);
    });
  });

  describe("backup-data and a restored folder", () => {
    test("refuses it once a service was started there, and leaves everything as it is", async () => {
      await using site = await newSite();
      const { clock, original, copy, target } = site;
      const first = await start({ storage: original, clock });
      const user = await userWithBackup(first.client);
      expect(await site.backUp()).toMatchObject({ status: 0 });
      expect(await readdir(target)).toContain(MARK);
      const restored = await start({ storage: copy, clock });
      expect(await readdir(target)).not.toContain(MARK);
      const late = await userWithBackup(restored.client);
      (await restored.client.sync(await syncPayload(restored.client, user), Buffer.from("newer"))).ok();
      await restored[Symbol.asyncDispose]();

      const refused = await site.backUp();
      expect(refused).toMatchObject({ status: 2, output: "" });
      expect(refused.errors).toContain("where a service was started on it, it has what came since");
      await writeFile(join(target, MARK), ""); // as after a power failure that brought the mark back
      expect((await site.backUp()).errors).toContain("is not a copy any more");

      await using again = await start({ storage: copy, clock });
      for (const each of [user, late]) await recovered(again.client, each);
      expect(Buffer.from((await recovered(again.client, user)).backup, "base64").toString()).toBe("newer");
      await first[Symbol.asyncDispose]();
    });

    test("brings a copy up to date that only the doctor has opened", async () => {
      await using site = await newSite();
      await using first = await start({ storage: site.original, clock: site.clock });
      await userWithBackup(first.client);
      await site.backUp();
      for (const args of [["--verify"], ["--repair"], []])
        expect(await site.doctor(...args)).toMatchObject({ status: 0 });
      expect(await readdir(site.target)).toContain(MARK);
      await userWithBackup(first.client);
      expect(await site.backUp()).toMatchObject({ status: 0, output: expect.stringContaining("1 blobs") });
      expect((await site.doctor()).output).toContain("2 backups");
    });

    test("refuses the copy of another installation, and leaves it as it is", async () => {
      await using site = await newSite();
      await using other = await newSite();
      await using ours = await start({ storage: site.original, clock: site.clock });
      await using theirs = await start({ storage: other.original, clock: other.clock });
      await userWithBackup(ours.client);
      await userWithBackup(theirs.client);
      await site.backUp();
      const { status, errors } = await runCommand("backup-data", other.original.env, site.target);
      expect({ status, errors }).toEqual({
        status: 2,
        errors: expect.stringContaining("is a copy of another installation"),
      });
      expect((await site.doctor("--verify")).output).toContain("Healthy: checked 1 backups");

      const blobs = join(site.original.dataDir, "blobs", "installation");
      await copyFile(join(other.original.dataDir, "blobs", "installation"), blobs);
      expect((await site.backUp()).errors).toContain("are of two installations");
    });

    test("refuses a source whose blobs are not there, and leaves the copy as it is", async () => {
      await using site = await newSite();
      const { clock, original, copy } = site;
      const first = await start({ storage: original, clock });
      const user = await userWithBackup(first.client);
      expect(await site.backUp()).toMatchObject({ status: 0 });
      (await first.client.sync(await syncPayload(first.client, user), Buffer.from("newer"))).ok();
      await first[Symbol.asyncDispose]();
      await rm(join(original.dataDir, "blobs"), { recursive: true });
      await mkdir(join(original.dataDir, "blobs")); // what a disk that is not mounted leaves

      const refused = await site.backUp();
      expect(refused).toMatchObject({ status: 2, output: "" });
      expect(refused.errors).toContain("are not there: is a disk not mounted?");
      await using second = await start({ storage: copy, clock });
      clock.advance(1_000);
      expect((await recovered(second.client, user)).backup).toBe(Buffer.from(user.backup).toString("base64"));
    });

    test("takes over a copy that an earlier version made, which has the mark in its folder only", async () => {
      await using site = await newSite();
      const { clock, original, copy, target } = site;
      const first = await start({ storage: original, clock });
      const user = await userWithBackup(first.client);
      await site.backUp();
      const forget = () => {
        const database = new Database(join(target, "records.sqlite"));
        database.run("DROP TABLE marks");
        database.run("DROP TABLE restores");
        database.run("PRAGMA user_version = 1");
        database.close();
      };
      forget();
      expect(await site.doctor()).toMatchObject({ status: 0 });
      expect(await site.backUp()).toMatchObject({ status: 0 });
      forget();
      expect(await site.backUp()).toMatchObject({ status: 0 });
      forget();
      const proof = await solved(first.client, "retrieve", user.main);
      await first[Symbol.asyncDispose]();
      clock.advance(MINUTE_MS);
      await rm(join(target, "blobs", "installation"));
      await using second = await start({ storage: copy, clock });
      expect((await second.client.retrieve(proof)).code()).toBe("jwt_error");
      expect((await site.backUp()).status).toBe(2);
    });
  });

  describe("a service on a copy that is not whole", () => {
    test("does not start on one that was interrupted before it was complete, and changes nothing", async () => {
      await using site = await newSite();
      await using first = await start({ storage: site.original, clock: site.clock });
      await userWithBackup(first.client);
      await site.backUp();
      await rm(join(site.target, "records.sqlite"));
      const before = (await readdir(site.target)).sort();
      const starting = start({ storage: site.copy, clock: site.clock });
      await expect(starting).rejects.toThrow("was interrupted before it was complete");
      expect((await readdir(site.target)).sort()).toEqual(before);
      expect(await site.backUp()).toMatchObject({ status: 0 }); // goes on where it ended
      await (await start({ storage: site.copy, clock: site.clock }))[Symbol.asyncDispose]();
    });

    test("starts on one whose update was interrupted: it has the earlier state", async () => {
      await using site = await newSite();
      await using first = await start({ storage: site.original, clock: site.clock });
      const user = await userWithBackup(first.client);
      await site.backUp();
      const half = `records.sqlite.${crypto.randomUUID()}`;
      await writeFile(join(site.target, half), "half a database");
      await using second = await start({ storage: site.copy, clock: site.clock });
      site.clock.advance(1_000);
      await recovered(second.client, user);
      expect(await readdir(site.target)).not.toContain(half);
    });

    test("starts on one without marks whose update was interrupted when the source had them", async () => {
      await using site = await newSite();
      await using first = await start({ storage: site.original, clock: site.clock });
      const user = await userWithBackup(first.client);
      await site.backUp();
      const database = new Database(join(site.target, "records.sqlite"));
      database.run("DELETE FROM marks WHERE name = 'installation-id'");
      database.close();
      await rm(join(site.target, "blobs", "installation"));
      await userWithBackup(first.client);
      const interrupted = copyData({
        source: site.original.dataDir,
        target: site.target,
        onProgress: () => {
          throw new Error("interrupted");
        },
      });
      await expect(interrupted).rejects.toThrow("interrupted");
      await using second = await start({ storage: site.copy, clock: site.clock });
      site.clock.advance(1_000);
      await recovered(second.client, user);
    });

    test("does not start while a copy is being made there", async () => {
      await using site = await newSite();
      await using first = await start({ storage: site.original, clock: site.clock });
      await userWithBackup(first.client);
      await site.backUp();
      const copying = new Database(join(site.target, MARK));
      copying.run("BEGIN EXCLUSIVE");
      await expect(start({ storage: site.copy, clock: site.clock })).rejects.toThrow(
        "a copy is being made in",
      );
      copying.close();
      expect(await readdir(site.target)).toContain(MARK);
    });

    test("starts when several do at once, and one of them takes the mark away", async () => {
      await using site = await newSite();
      await using first = await start({ storage: site.original, clock: site.clock });
      await userWithBackup(first.client, newUser());
      await site.backUp();
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
