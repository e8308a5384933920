/** Backups that a newer version of the service has stored: refused for the time being, and left as they are. */
import { describe, expect, test } from "bun:test";
import type { BackupRecord } from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import {
  addSyncFactorCall,
  deleteBackupCall,
  deleteFactorCall,
  listEventsCall,
  proofOf,
  restoreVersionCall,
  retrieveCall,
  retrieveMetadataCall,
  syncCall,
  verifyFactorCall,
} from "../support/proven-calls.ts";
import type { TestService } from "../support/service.ts";
import { sharedService } from "../support/shared-service.ts";
import { storedRecord } from "../support/stored.ts";
import { createPayload, resetRequest, type User, userWithBackup } from "../support/users.ts";

const CALLS = [
  retrieveCall,
  verifyFactorCall,
  retrieveMetadataCall,
  syncCall,
  restoreVersionCall,
  listEventsCall,
  deleteBackupCall,
  deleteFactorCall,
  addSyncFactorCall,
];

/** Stores the metadata of a backup in a form that this version does not know; returns how to undo that. */
async function storeAsNewer({ services }: TestService, { account }: User) {
  const { backupAccountId: backupId } = account;
  const put = async ({ blob, metadata, versions }: BackupRecord) => {
    const { revision } = await storedRecord(services, backupId);
    await services.records.commit({ backupId, expect: { revision }, next: { blob, metadata, versions } });
    return storedRecord(services, backupId);
  };
  const before = await storedRecord(services, backupId);
  const newer = await put({ ...before, metadata: { schemaVersion: 99, of: before.metadata } });
  return {
    stored: () => storedRecord(services, backupId),
    newer,
    undo: () => put(before),
  };
}

const UNAVAILABLE = { allowRetry: true, error: { code: "service_unavailable" } };

for (const driver of DRIVERS)
  describe(`a backup that a newer version has stored (${driver.name})`, () => {
    const service = sharedService(driver);

    for (const call of CALLS)
      test(`${call.name} is refused for the time being, and its proof stays good`, async () => {
        const { client } = service();
        const caller = await call.prepare(client);
        const proof = await proofOf(client, call, caller);
        const { newer, stored, undo } = await storeAsNewer(service(), caller.user);
        const refused = await caller.send(proof);
        expect([refused.status, refused.body]).toMatchObject([503, UNAVAILABLE]);
        expect(await stored()).toEqual(newer);
        await undo();
        expect((await caller.send(proof)).status).toBeLessThan(300);
      });

    test("is not reset, and its status is not shown", async () => {
      const { client } = service();
      const user = await userWithBackup(client);
      const { newer, stored, undo } = await storeAsNewer(service(), user);
      const request = await resetRequest(client, user);
      const { backupAccountId: backupId } = user.account;
      for (const refused of [await client.reset(request), await client.backupStatus({ backupId })])
        expect([refused.status, refused.body]).toMatchObject([503, UNAVAILABLE]);
      expect(await stored()).toEqual(newer);
      await undo();
      (await client.backupStatus({ backupId })).ok();
      (await client.reset(request)).ok();
    });

    test("is not taken for a free account id", async () => {
      const { client } = service();
      const user = await userWithBackup(client);
      const { newer, stored } = await storeAsNewer(service(), user);
      const again = await client.create(await createPayload(client, user), user.backup);
      expect(again.code()).toBe("backup_account_id_already_exists");
      expect(await stored()).toEqual(newer);
    });

    test("is named in the log with what the operator has to do", async () => {
      const { client, logged } = service();
      const user = await userWithBackup(client);
      await storeAsNewer(service(), user);
      await client.backupStatus({ backupId: user.account.backupAccountId });
      const errors = logged.filter((line) => line.includes('"level":"error"'));
      expect(errors.at(-1)).toContain(
        "schema version 99, this version of the service knows 1: start a newer one",
      );
    });
  });
