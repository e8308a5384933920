/** A reset deletes every deleted state of the id, however many there are, and whatever happens meanwhile. */
import { describe, expect, test } from "bun:test";
import { collectLeftovers } from "../../src/maintenance/leftovers.ts";
import { MAX_FORGOTTEN } from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import type { ApiClient } from "../support/api-client.ts";
import {
  created,
  createPayloadOf,
  type FactorUser,
  newFactorUser,
  newKeypair,
  recoveredBy,
  undeletion,
} from "../support/factors.ts";
import { setAside } from "../support/history.ts";
import { Interruptions } from "../support/intercepted-stores.ts";
import { startService, type TestService } from "../support/service.ts";
import { replaced } from "../support/store-wrappers.ts";
import { resetRequest, solved } from "../support/users.ts";

/** The largest page that a driver reads. */
const PAGE = 20;

async function deleteIt(client: ApiClient, { sync }: Pick<FactorUser, "sync">): Promise<void> {
  (await client.deleteBackup(await solved(client, "delete-backup", sync))).ok();
}

/** Deletes a backup past the API and creates it again, that often. */
async function deleteOften({ clock, services: { stores } }: TestService, backupId: string, times: number) {
  for (let deletion = 0; deletion < times; deletion++) {
    clock.advance(1);
    const { metadata } = await setAside({ records: stores.records, clock }, backupId);
    const next = { blob: await stores.blobs.put(backupId, [new Uint8Array(10)]), metadata, versions: [] };
    expect(await stores.records.commit({ backupId, expect: "absent", next })).toBe("committed");
  }
}

for (const driver of DRIVERS)
  describe(`a reset of deleted states (${driver.name})`, () => {
    test("has some of them in memory at a time", async () => {
      let inMemory = 0;
      let most = 0;
      await using service = await startService(driver, {
        wrapStores: ({ records, blobs }) => ({
          blobs,
          records: replaced(records, {
            async readDeleted(...page) {
              const states = await records.readDeleted(...page);
              inMemory += states.length;
              most = Math.max(most, inMemory);
              return states;
            },
            commit(change) {
              inMemory -= change.forget?.length ?? 0;
              return records.commit(change);
            },
          }),
        }),
      });
      const { client, clock, services } = service;
      const { stores } = services;
      const user = await created(client, newKeypair());
      await deleteOften(service, user.account.backupAccountId, 3 * MAX_FORGOTTEN);
      (await client.reset(await resetRequest(client, user))).ok();
      expect(most).toBeLessThanOrEqual(MAX_FORGOTTEN + PAGE);
      expect(inMemory).toBe(0);
      clock.advance(15 * 60_000);
      await collectLeftovers(stores);
      await services.background.settled();
      expect(await Array.fromAsync(stores.records.listDeleted())).toEqual([]);
      expect(await Array.fromAsync(stores.blobs.list())).toEqual([]);
    });

    test("without a backup deletes more of them than a commit can name, and none when it comes again", async () => {
      await using service = await startService(driver);
      const { client, services } = service;
      const user = await created(client, newKeypair());
      const { backupAccountId: backupId } = user.account;
      const keptOf = async () =>
        (await Array.fromAsync(services.stores.records.listDeleted())).filter(({ kept }) => kept !== null)
          .length;
      await deleteOften(service, backupId, MAX_FORGOTTEN);
      await deleteIt(client, user);
      const request = await resetRequest(client, user);
      (await client.reset(request)).ok();
      expect(await keptOf()).toBe(0);

      const again = { ...newFactorUser(newKeypair()), account: user.account };
      (await client.create(await createPayloadOf(client, again), again.backup)).ok();
      await deleteOften(service, backupId, MAX_FORGOTTEN + 1);
      expect((await client.reset(request)).code()).toBe("already_used");
      expect(await keptOf()).toBe(MAX_FORGOTTEN + 1);
    });

    test("that an undelete overtakes is a conflict, since the backup is there", async () => {
      const interruptions = new Interruptions();
      await using service = await startService(driver, interruptions);
      const { client } = service;
      const user = await created(client, newKeypair());
      await deleteIt(client, user);
      interruptions.before("records.readDeleted", async () => void (await undeletion(client, user)).ok());
      const request = await resetRequest(client, user);
      const overtaken = await client.reset(request);
      expect([overtaken.status, overtaken.code()]).toEqual([423, "conflicting_lock"]);
      expect((await client.reset(request)).status).toBe(204);
      expect((await client.reset(await resetRequest(client, user))).code()).toBe("not_found");
    });

    test("that a deletion overtakes is a conflict, and deletes its state when it is repeated", async () => {
      const interruptions = new Interruptions();
      await using service = await startService(driver, interruptions);
      const { client } = service;
      const user = await created(client, newKeypair());
      interruptions.before("records.commit", () => deleteIt(client, user));
      const request = await resetRequest(client, user);
      const overtaken = await client.reset(request);
      expect([overtaken.status, overtaken.code()]).toEqual([423, "conflicting_lock"]);
      expect((await client.reset(request)).status).toBe(204);
      expect((await undeletion(client, user)).code()).toBe("backup_does_not_exist");
    });

    test("alone that a creation overtakes is a conflict, and deletes the backup when it is repeated", async () => {
      const interruptions = new Interruptions();
      await using service = await startService(driver, interruptions);
      const { client } = service;
      const user = await created(client, newKeypair());
      await deleteIt(client, user);
      const other = { ...newFactorUser(newKeypair()), account: user.account };
      interruptions.before(
        "records.commit",
        async () => void (await client.create(await createPayloadOf(client, other), other.backup)).ok(),
      );
      const request = await resetRequest(client, user);
      const overtaken = await client.reset(request);
      expect([overtaken.status, overtaken.code()]).toEqual([423, "conflicting_lock"]);
      await recoveredBy(client, other.main);
      expect((await client.reset(request)).status).toBe(204);
      for (const gone of [user, other])
        expect((await undeletion(client, gone)).code()).toBe("backup_does_not_exist");
    });

    test("has also those of a backup that was created and deleted meanwhile", async () => {
      const interruptions = new Interruptions();
      await using service = await startService(driver, interruptions);
      const { client, clock, services } = service;
      const user = await created(client, newKeypair());
      const other = { ...newFactorUser(newKeypair()), account: user.account };
      interruptions.before("records.commit", async () => {
        await deleteIt(client, user);
        clock.advance(1);
        (await client.create(await createPayloadOf(client, other), other.backup)).ok();
        await deleteIt(client, other);
        (await undeletion(client, user)).ok();
      });
      (await client.reset(await resetRequest(client, user))).ok();
      for (const gone of [user, other])
        expect((await undeletion(client, gone)).code()).toBe("backup_does_not_exist");
      await collectLeftovers(services.stores);
      await services.background.settled();
      expect(await Array.fromAsync(services.stores.blobs.list())).toEqual([]);
    });
  });
