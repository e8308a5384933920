/** Deletions, undeletes and events of backups that were adopted, and of ids that the other service has. */
import { describe, expect, test } from "bun:test";
import { collectLeftovers } from "../../src/maintenance/leftovers.ts";
import { MAX_FORGOTTEN } from "../../src/storage/contract.ts";
import { DRIVERS, type Driver } from "../drivers.ts";
import { createAccountKeypair } from "../support/account-keypair.ts";
import { type AdoptionWorld, adoptionWorld } from "../support/adopting-service.ts";
import type { ApiClient } from "../support/api-client.ts";
import {
  type MainFactor,
  newKeypair,
  newPasskey,
  proven,
  recoveredBy,
  undeletion,
} from "../support/factors.ts";
import { setAside } from "../support/history.ts";
import { brokenInvariantsOfAll } from "../support/invariants.ts";
import { type LegacyUser, legacyKeypair, legacyPasskey, legacyUser } from "../support/legacy-users.ts";
import { firstMain } from "../support/moved-in-users.ts";
import { startService, type TestService } from "../support/service.ts";
import { storedRecord } from "../support/stored.ts";
import { newUser, resetRequest, solved, userWithBackup } from "../support/users.ts";

const WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
const YEARS_MS = 5 * 365 * 24 * 60 * 60 * 1000;

async function inWorld(
  driver: Driver,
  act: (world: AdoptionWorld, service: TestService) => Promise<void>,
): Promise<void> {
  await using world = await adoptionWorld(driver);
  await act(world, await world.start());
}

const verify = async (client: ApiClient, main: MainFactor) =>
  client.verifyFactor(await proven(client, "verify-factor", main));

async function deleteIt(client: ApiClient, { syncs: [sync] }: LegacyUser): Promise<void> {
  if (sync === undefined) throw new Error("the user has no sync factor");
  (await client.deleteBackup(await solved(client, "delete-backup", sync))).ok();
}

const undeleted = (client: ApiClient, { id }: Pick<LegacyUser, "id">, main: MainFactor) =>
  undeletion(client, { account: { ...createAccountKeypair(), backupAccountId: id }, main });

/** The calls of the other service's stores that an act makes. */
async function callsOf({ calls }: AdoptionWorld, act: () => Promise<unknown>): Promise<readonly string[]> {
  const before = calls.length;
  await act();
  return calls.slice(before);
}

for (const driver of DRIVERS)
  describe(`adopted backups that are deleted, on ${driver.name}`, () => {
    for (const [name, main] of [
      ["keypair", newKeypair()],
      ["passkey", newPasskey()],
    ] as const)
      test(`are brought back by a ${name} as they were here, and deleted again`, () =>
        inWorld(driver, async ({ legacy }, { client, services }) => {
          const own = main.kind === "PASSKEY" ? legacyPasskey(main) : legacyKeypair(main);
          const user = legacyUser({ mains: [own, legacyKeypair()], syncs: 2 });
          await legacy.add(user);
          const before = await recoveredBy(client, main);
          await deleteIt(client, user);
          expect((await verify(client, main)).code()).toBe("backup_untraceable");
          const { backupMetadata } = (await undeleted(client, user, main)).ok();
          const syncFactors = before.metadata.syncFactors.slice(1);
          expect(backupMetadata).toEqual({ ...before.metadata, syncFactors });
          expect((await recoveredBy(client, main)).backup).toBe(before.backup);
          expect((await verify(client, user.mains[1] ?? main)).ok().backupId).toBe(user.id);
          expect(await brokenInvariantsOfAll(services.stores)).toEqual([]);
          await deleteIt(client, { ...user, syncs: user.syncs.slice(1) });
          expect((await verify(client, main)).code()).toBe("backup_untraceable");
          expect((await client.backupStatus({ backupId: user.id })).status).toBe(404);
        }));

    test("are not adopted again while they are kept, nor when that is over, nor after a reset", () =>
      inWorld(driver, async (world, { client, services }) => {
        const account = createAccountKeypair();
        const [expiring, reset] = [legacyUser(), legacyUser({ id: account.backupAccountId })];
        await world.legacy.add(expiring, reset);
        for (const user of [expiring, reset]) await deleteIt(client, user);
        const gone = async () => {
          for (const user of [expiring, reset]) {
            expect((await verify(client, firstMain(user))).code()).toBe("backup_untraceable");
            expect((await client.backupStatus({ backupId: user.id })).status).toBe(404);
          }
        };
        await gone();
        const calls = await callsOf(world, async () => {
          (await client.reset(await resetRequest(client, { ...newUser(), account }))).ok();
        });
        expect(calls).toEqual([]);
        expect((await undeleted(client, reset, firstMain(reset))).code()).toBe("backup_does_not_exist");
        await gone();
        world.clock.advance(YEARS_MS);
        await collectLeftovers(services.stores);
        expect((await undeleted(client, expiring, firstMain(expiring))).code()).toBe("backup_does_not_exist");
        await gone();
        expect(await Array.fromAsync(services.stores.blobs.list())).toEqual([]);
      }));

    test("their ids cost no call there", () =>
      inWorld(driver, async (world, { client }) => {
        const user = legacyUser();
        await world.legacy.add(user);
        await deleteIt(client, user);
        const calls = await callsOf(world, async () => {
          expect((await client.backupStatus({ backupId: user.id })).status).toBe(404);
        });
        expect(calls).toEqual([]);
      }));

    test("with more factors than a transaction of DynamoDB takes are brought back with all of them", () =>
      inWorld(driver, async ({ legacy }, { client, services }) => {
        const user = legacyUser({ mains: Array.from({ length: 120 }, () => legacyKeypair()) });
        await legacy.add(user);
        await deleteIt(client, user);
        expect((await undeleted(client, user, firstMain(user))).ok().backupId).toBe(user.id);
        for (const main of user.mains.slice(80))
          expect((await verify(client, main)).ok().backupId).toBe(user.id);
        expect(await brokenInvariantsOfAll(services.stores)).toEqual([]);
      }));

    test("a reset of many factors and deleted states fits transactions with the mark of the id", async () => {
      await using world = await adoptionWorld(driver);
      const webhook = { WEBHOOK_URL: "https://127.0.0.1:9/", WEBHOOK_SECRETS: WEBHOOK_SECRET };
      const { client, services } = await world.start({ env: webhook });
      const { stores } = services;
      const account = createAccountKeypair();
      const user = legacyUser({
        id: account.backupAccountId,
        mains: Array.from({ length: 120 }, () => legacyKeypair()),
      });
      await world.legacy.add(user);
      expect((await verify(client, firstMain(user))).ok().backupId).toBe(user.id);
      for (let deletions = 0; deletions < 2 * MAX_FORGOTTEN; deletions++) {
        const { metadata } = await storedRecord(stores, user.id);
        await setAside({ records: stores.records, clock: world.clock }, user.id);
        const blob = await stores.blobs.put(user.id, [new Uint8Array(10)]);
        const next = { blob, metadata, versions: [] };
        expect(await stores.records.commit({ backupId: user.id, expect: "absent", next })).toBe("committed");
      }
      (await client.reset(await resetRequest(client, { ...newUser(), account }))).ok();
      world.clock.advance(15 * 60 * 1000); // until requests that began before have ended
      await collectLeftovers(stores);
      await services.background.settled();
      expect(await Array.fromAsync(stores.blobs.list())).toEqual([]);
      expect(await Array.fromAsync(stores.records.listFactors())).toEqual([]);
      expect(await Array.fromAsync(stores.records.listDeleted())).toEqual([]);
      expect((await verify(client, firstMain(user))).code()).toBe("backup_untraceable");
    });

    test("what only the other service has cannot be undeleted, and is not asked for there", () =>
      inWorld(driver, async (world, { client, services }) => {
        const user = legacyUser({ mains: [legacyKeypair(), legacyPasskey(newPasskey())] });
        await world.legacy.add(user);
        const calls = await callsOf(world, async () => {
          for (const main of user.mains)
            expect((await undeleted(client, user, main)).code()).toBe("backup_does_not_exist");
        });
        expect(calls).toEqual([]);
        expect(await Array.fromAsync(services.stores.records.list())).toEqual([]);
        expect((await verify(client, firstMain(user))).ok().backupId).toBe(user.id);
      }));

    test("an id that was deleted before adoption began is the deleted one's while it can be brought back", async () => {
      await using world = await adoptionWorld(driver);
      const own = newUser();
      const other = legacyUser({ id: own.account.backupAccountId });
      await world.legacy.add(other);
      await using before = await startService(driver, { storage: world.storage, clock: world.clock });
      await userWithBackup(before.client, own);
      (await before.client.deleteBackup(await solved(before.client, "delete-backup", own.sync))).ok();
      const { client } = await world.start();
      expect((await client.backupStatus({ backupId: other.id })).status).toBe(404);
      expect((await verify(client, firstMain(other))).code()).toBe("backup_untraceable");
      const { backupId } = (
        await undeletion(client, { account: own.account, main: newKeypair(own.main) })
      ).ok();
      expect(backupId).toBe(other.id);
    });

    test("an adoption leaves no event; what is done here does, and changes nothing by itself", () =>
      inWorld(driver, async ({ legacy }, { client, services }) => {
        const user = legacyUser();
        await legacy.add(user);
        const [sync] = user.syncs;
        if (sync === undefined) throw new Error("the user has no sync factor");
        const events = async () => {
          const { events } = (await client.listEvents(await solved(client, "events", sync))).ok();
          return events.map(({ kind }) => kind);
        };
        expect((await verify(client, firstMain(user))).ok().backupId).toBe(user.id);
        const { changedAtMs, revision, versions } = await storedRecord(services.stores, user.id);
        expect({ changedAtMs, versions }).toEqual({ changedAtMs: 0, versions: [] });
        await recoveredBy(client, firstMain(user));
        expect(await storedRecord(services.stores, user.id)).toMatchObject({ changedAtMs, revision });
        expect(await events()).toEqual(["RECOVERED"]);
        await deleteIt(client, user);
      }));
  });
