/** Earlier contents of a backup: which are kept, who may retrieve them, and that their ciphertexts are there as long. */
import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import type { ApiClient } from "../support/api-client.ts";
import { RIVALS } from "../support/rivals.ts";
import { startService } from "../support/service.ts";
import { sharedService } from "../support/shared-service.ts";
import { blobKeys, storedRecord } from "../support/stored.ts";
import {
  metadataOf,
  newManifestHash,
  randomBytes,
  replacedContent,
  resetRequest,
  solved,
  syncPayload,
  type User,
  userWithBackup,
} from "../support/users.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

async function retrieved(client: ApiClient, { main }: User, versionId: string | null) {
  return client.retrieve({ ...(await solved(client, "retrieve", main)), versionId });
}

for (const driver of DRIVERS)
  describe(`the versions of a backup (${driver.name})`, () => {
    const rivals = RIVALS[driver.name];
    const service = sharedService(driver, { env: { VERSIONS_KEEP_LAST: "2", VERSIONS_KEEP_DAYS: "3" } });

    test("are listed newest first, with hash, size and times", async () => {
      const { client, clock } = service();
      const first = await userWithBackup(client);
      const createdAt = Math.floor(clock.nowMs() / 1000);
      clock.advance(1_000);
      const second = (await replacedContent(client, first)).user;
      clock.advance(1_000);
      const third = (await replacedContent(client, second)).user;

      const version = { versionId: expect.any(String) };
      const of = ({ manifestHash, backup }: User) => ({ manifestHash, size: backup.length });
      expect((await metadataOf(client, third)).versions).toEqual([
        { ...version, ...of(second), createdAt: createdAt + 1, replacedAt: createdAt + 2 },
        { ...version, ...of(first), createdAt, replacedAt: createdAt + 1 },
      ]);
    });

    test("are retrieved by their id, with the metadata and token of any recovery", async () => {
      const { client } = service();
      const first = await userWithBackup(client);
      const { user, versionId } = await replacedContent(client, first);
      const response = (await retrieved(client, user, versionId)).ok();
      expect(Buffer.from(response.backup, "base64")).toEqual(Buffer.from(first.backup));
      expect(response.metadata).toEqual(await metadataOf(client, user));
      expect(response.syncFactorToken).toMatch(/^[A-Za-z0-9_-]{43}$/);

      const current = (await retrieved(client, user, null)).ok();
      expect(Buffer.from(current.backup, "base64")).toEqual(Buffer.from(user.backup));
    });

    test("that are not there consume no proof", async () => {
      const { client } = service();
      const { user, versionId } = await replacedContent(client, await userWithBackup(client));
      const other = await replacedContent(client, await userWithBackup(client));
      const proof = await solved(client, "retrieve", user.main);
      for (const unknown of [crypto.randomUUID(), "", "x", other.versionId]) {
        const response = await client.retrieve({ ...proof, versionId: unknown });
        expect([unknown, response.status, response.code()]).toEqual([unknown, 400, "version_not_found"]);
      }
      (await client.retrieve({ ...proof, versionId })).ok();
      expect((await client.retrieve({ ...proof, versionId: "x" })).code()).toBe("already_used");
    });

    test("are as many as the policy says after a year of daily updates, and so are the ciphertexts", async () => {
      const { client, clock, services } = service();
      const others = new Set(await blobKeys(services));
      let user = await userWithBackup(client);
      for (let day = 0; day < 365; day++) {
        clock.advance(DAY_MS);
        const backup = randomBytes(10);
        const manifestHash = newManifestHash();
        (await client.sync(await syncPayload(client, user, manifestHash), backup)).ok();
        user = { ...user, backup, manifestHash };
        const { versions } = await storedRecord(services, user.account.backupAccountId);
        expect(versions.length).toBe(Math.min(day + 1, 3));
      }
      const { blob, versions } = await storedRecord(services, user.account.backupAccountId);
      const kept = (await blobKeys(services)).filter((key) => !others.has(key));
      expect(kept.toSorted()).toEqual(
        [blob, ...versions.map((version) => version.blob)].map(({ key }) => key).toSorted(),
      );
    });

    test("still have yesterday's content after a hundred updates today", async () => {
      const { client, clock } = service();
      const good = await userWithBackup(client);
      clock.advance(DAY_MS);
      let user = good;
      for (let update = 0; update < 100; update++) {
        const manifestHash = newManifestHash();
        (await client.sync(await syncPayload(client, user, manifestHash), randomBytes(10))).ok();
        user = { ...user, manifestHash };
      }
      const { versions } = await metadataOf(client, user);
      const yesterday = versions.find(({ manifestHash }) => manifestHash === good.manifestHash);
      const response = (await retrieved(client, user, yesterday?.versionId ?? "")).ok();
      expect(Buffer.from(response.backup, "base64")).toEqual(Buffer.from(good.backup));
    });

    test("of earlier days still stay after a sync factor has restored and replaced each of them today", async () => {
      const { client, clock } = service();
      let user = await userWithBackup(client);
      const update = async () => {
        ({ user } = await replacedContent(client, user));
      };
      const good = [user];
      for (const _day of [1, 2]) {
        clock.advance(DAY_MS);
        await update();
        good.push(user);
      }
      clock.advance(DAY_MS);
      for (const { manifestHash } of good) {
        await update();
        const { versions } = await metadataOf(client, user);
        const versionId = versions.find((version) => version.manifestHash === manifestHash)?.versionId ?? "";
        const proof = await solved(client, "restore-version", user.sync, { versionId });
        const currentManifestHash = user.manifestHash;
        (await client.restoreVersion({ ...proof, versionId, currentManifestHash })).ok();
        user = { ...user, manifestHash };
        for (const _time of [1, 2, 3]) await update();
      }
      const { versions } = await metadataOf(client, user);
      for (const { manifestHash, backup } of good) {
        const version = versions.find((version) => version.manifestHash === manifestHash);
        const response = (await retrieved(client, user, version?.versionId ?? "")).ok();
        expect(Buffer.from(response.backup, "base64")).toEqual(Buffer.from(backup));
      }
    });

    test("go with the backup when it is reset", async () => {
      const { client, services } = service();
      const others = await blobKeys(services);
      const { user } = await replacedContent(client, await userWithBackup(client));
      expect((await blobKeys(services)).length).toBe(others.length + 2);
      expect((await client.reset(await resetRequest(client, user))).status).toBe(204);
      expect((await blobKeys(services)).toSorted()).toEqual(others.toSorted());
    });

    test(`of ${rivals} restores and updates from one state one succeeds, and no ciphertext is lost`, async () => {
      const { client, services } = service();
      const { user, versionId } = await replacedContent(client, await userWithBackup(client));
      const others = new Set(await blobKeys(services));
      const requests = await Promise.all(
        Array.from({ length: rivals }, async (_, rival) => {
          if (rival % 2 === 0) {
            const payload = await syncPayload(client, user);
            return () => client.sync(payload, randomBytes(10));
          }
          const proof = await solved(client, "restore-version", user.sync, { versionId });
          const request = { ...proof, versionId, currentManifestHash: user.manifestHash };
          return () => client.restoreVersion(request);
        }),
      );
      const responses = await Promise.all(requests.map((send) => send()));
      const losers = responses.filter(({ status }) => status > 299);
      expect(losers).toHaveLength(rivals - 1);
      for (const loser of losers)
        expect(["manifest_hash_mismatch", "conflicting_lock"]).toContain(loser.code());

      const { blob, versions } = await storedRecord(services, user.account.backupAccountId);
      const referenced = [blob, ...versions.map((version) => version.blob)].map(({ key }) => key);
      const present = await blobKeys(services);
      expect(present).toEqual(expect.arrayContaining(referenced));
      expect(present.filter((key) => !others.has(key) && !referenced.includes(key))).toEqual([]);
    });
  });

for (const driver of DRIVERS)
  describe(`where no versions are kept (${driver.name})`, () => {
    const service = sharedService(driver, { env: { VERSIONS_KEEP_LAST: "0", VERSIONS_KEEP_DAYS: "0" } });

    test("an update deletes what it replaces", async () => {
      const { client, services } = service();
      const user = await userWithBackup(client);
      const before = await storedRecord(services, user.account.backupAccountId);
      (await client.sync(await syncPayload(client, user), randomBytes(10))).ok();
      expect((await metadataOf(client, user)).versions).toEqual([]);
      expect(await blobKeys(services)).not.toContain(before.blob.key);
    });

    test("a restore deletes what was kept before", async () => {
      await using storage = await driver.environment();
      const start = (kept: string) =>
        startService(driver, { storage, env: { VERSIONS_KEEP_LAST: kept, VERSIONS_KEEP_DAYS: "0" } });
      await using before = await start("2");
      const first = await userWithBackup(before.client);
      const second = await replacedContent(before.client, first);
      const { user } = await replacedContent(before.client, second.user);
      await using service = await start("0");
      const { client, services } = service;
      const { versionId } = second;
      const proof = await solved(client, "restore-version", user.sync, { versionId });
      const currentManifestHash = user.manifestHash;
      (await client.restoreVersion({ ...proof, versionId, currentManifestHash })).ok();
      const { blob, versions } = await storedRecord(services, user.account.backupAccountId);
      expect(versions).toEqual([]);
      expect(await blobKeys(services)).toEqual([blob.key]);
    });
  });
