import { describe, expect, test } from "bun:test";
import { StorageUnavailable } from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import { type Interceptor, interceptedStores } from "../support/intercepted-stores.ts";
import { addedSyncFactor } from "../support/proven-calls.ts";
import { sharedService } from "../support/shared-service.ts";
import { storedRecord } from "../support/stored.ts";
import {
  metadataOf,
  newManifestHash,
  recovered,
  solved,
  syncPayload,
  type User,
  userWithBackup,
} from "../support/users.ts";

const HOUR_MS = 60 * 60 * 1000;

for (const driver of DRIVERS)
  describe(`the last use of a sync factor (${driver.name})`, () => {
    let around: Interceptor = (_, run) => run();
    const service = sharedService(driver, {
      wrapStores: (stores) => interceptedStores(stores, (call, run) => around(call, run)),
    });
    const nowS = () => Math.floor(service().clock.nowMs() / 1000);
    const lastUses = async (user: User) => {
      await service().services.background.settled();
      return (await recovered(service().client, user)).metadata.syncFactors.map(
        ({ lastUsedAt }) => lastUsedAt ?? null,
      );
    };

    test("is not there before the first one", async () => {
      const user = await userWithBackup(service().client);
      expect(await lastUses(user)).toEqual([null]);
      const { syncFactors, factors } = (await recovered(service().client, user)).metadata;
      expect(Object.keys(syncFactors[0] ?? {})).toEqual(["id", "createdAt", "kind"]);
      expect(Object.keys(factors[0] ?? {})).toEqual(["id", "createdAt", "kind"]);
    });

    test("is kept with a sync, a removal and a reading of the metadata or the log, of the factor that signed", async () => {
      const { client } = service();
      const uses: readonly ((user: User) => Promise<unknown>)[] = [
        async (user) => (await client.sync(await syncPayload(client, user), user.backup)).ok(),
        (user) => metadataOf(client, user),
        async (user) => (await client.listEvents(await solved(client, "events", user.sync))).ok(),
        async (user) => {
          const factorId = await addedSyncFactor(client, user);
          const proof = await solved(client, "delete-factor", user.sync, { factorId });
          return (await client.deleteFactor({ ...proof, factorId, scope: "SYNC" })).ok();
        },
      ];
      for (const use of uses) {
        const user = await userWithBackup(client);
        await addedSyncFactor(client, user);
        await use(user);
        expect(await lastUses(user)).toEqual([nowS(), null]);
      }
    });

    test("is kept anew after 24 hours, and not before", async () => {
      const { client, clock, services } = service();
      const user = await userWithBackup(client);
      await metadataOf(client, user);
      const first = nowS();
      expect(await lastUses(user)).toEqual([first]);
      const { revision } = await storedRecord(services, user.account.backupAccountId);

      clock.advance(24 * HOUR_MS - 1000);
      await metadataOf(client, user);
      expect(await lastUses(user)).toEqual([first]);
      expect((await storedRecord(services, user.account.backupAccountId)).revision).toBe(revision);
      const hash = newManifestHash();
      (await client.sync(await syncPayload(client, user, hash), user.backup)).ok();
      expect(await lastUses(user)).toEqual([first]);

      clock.advance(1000);
      await metadataOf(client, user);
      expect(await lastUses(user)).toEqual([nowS()]);
    });

    test("that lies in the future, by a clock that was wrong, is replaced", async () => {
      const { client, clock } = service();
      const user = await userWithBackup(client);
      clock.advance(48 * HOUR_MS);
      await metadataOf(client, user);
      await lastUses(user);
      clock.set(clock.nowMs() - 48 * HOUR_MS);
      await metadataOf(client, user);
      expect(await lastUses(user)).toEqual([nowS()]);
    });

    test("of many at once is written once, and none fails", async () => {
      const { client } = service();
      const user = await userWithBackup(client);
      const proofs = [];
      for (let index = 0; index < 30; index++)
        proofs.push(await solved(client, "retrieve-metadata", user.sync));
      const payload = await syncPayload(client, user);
      const answers = await Promise.all([
        client.sync(payload, user.backup),
        ...proofs.map((proof) => client.retrieveMetadata(proof)),
      ]);
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      expect(await lastUses(user)).toEqual([nowS()]);
    });

    test("cannot be the reason that a call fails or waits", async () => {
      const { client, services } = service();
      const user = await userWithBackup(client);
      const proof = await solved(client, "retrieve-metadata", user.sync);
      const { promise: released, resolve: release } = Promise.withResolvers<void>();
      around = async (call, run) => {
        if (call !== "records.commit") return run();
        await released;
        throw new StorageUnavailable("the test refuses this call");
      };
      try {
        expect((await client.retrieveMetadata(proof)).status).toBe(200);
      } finally {
        release();
        await services.background.settled();
        around = (_, run) => run();
      }
      expect(await lastUses(user)).toEqual([null]);
      await metadataOf(client, user);
      expect(await lastUses(user)).toEqual([nowS()]);
    });

    test("gives way to a change that came first, and brings back no factor that it removed", async () => {
      const { client, services } = service();
      const user = await userWithBackup(client);
      const factorId = await addedSyncFactor(client, user);
      const removal = {
        ...(await solved(client, "delete-factor", user.sync, { factorId })),
        factorId,
        scope: "SYNC",
      };
      const proof = await solved(client, "retrieve-metadata", user.sync);
      const { promise: released, resolve: release } = Promise.withResolvers<void>();
      let first = true;
      around = async (call, run) => {
        if (call === "records.commit" && first) {
          first = false;
          await released;
        }
        return run();
      };
      (await client.retrieveMetadata(proof)).ok();
      (await client.deleteFactor(removal)).ok();
      const { revision } = await storedRecord(services, user.account.backupAccountId);
      release();
      await services.background.settled();
      around = (_, run) => run();
      expect((await storedRecord(services, user.account.backupAccountId)).revision).toBe(revision);
      expect(await lastUses(user)).toEqual([nowS()]);
    });

    test("is not kept of a call that fails", async () => {
      const { client, services } = service();
      const user = await userWithBackup(client);
      const before = await storedRecord(services, user.account.backupAccountId);
      const proof = await solved(client, "retrieve-metadata", user.sync);
      const elsewhere = { ...proof, backupId: (await userWithBackup(client)).account.backupAccountId };
      expect((await client.retrieveMetadata(elsewhere)).code()).toBe("backup_id_mismatch");
      const payload = { ...(await syncPayload(client, user)), currentManifestHash: newManifestHash() };
      expect((await client.sync(payload, user.backup)).code()).toBe("manifest_hash_mismatch");
      await services.background.settled();
      expect(await storedRecord(services, user.account.backupAccountId)).toEqual(before);
    });
  });
