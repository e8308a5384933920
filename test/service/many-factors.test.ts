/** Backups that were taken over from another service may have more factors than the limits. */
import { describe, expect, test } from "bun:test";
import { factorRef } from "../../src/backups/model.ts";
import type { JsonObject } from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import type { TestService } from "../support/service.ts";
import { sharedService } from "../support/shared-service.ts";
import { blobKeys, rewriteMetadata } from "../support/stored.ts";
import {
  createPayload,
  metadataOf,
  resetRequest,
  solved,
  type User,
  userWithBackup,
} from "../support/users.ts";

async function userOfManyDevices({ client, services }: TestService): Promise<User> {
  const user = await userWithBackup(client);
  for (let devices = 0; devices < 200; devices += 50) {
    const added = Array.from({ length: 50 }, () => ({
      id: crypto.randomUUID(),
      createdAt: 1,
      kind: { kind: "EC_KEYPAIR" as const, publicKey: createFactorKeypair().publicKey },
    }));
    await rewriteMetadata(
      services,
      user.account.backupAccountId,
      (metadata) => ({ ...metadata, syncFactors: [...(metadata.syncFactors as JsonObject[]), ...added] }),
      added.map((factor) => factorRef("SYNC", factor)),
    );
  }
  return user;
}

for (const driver of DRIVERS) {
  describe(`a deleted backup of 200 devices (${driver.name})`, () => {
    const service = sharedService(driver);

    test("comes back with all of them, but for the one that deleted it", async () => {
      const { client, services } = service();
      const { records } = services.stores;
      const user = await userOfManyDevices(service());
      (await client.deleteBackup(await solved(client, "delete-backup", user.sync))).ok();
      expect(await Array.fromAsync(records.listFactors())).toEqual([]);
      const { backupAccountId: backupId } = user.account;
      const proof = await solved(client, "undelete", user.main, { backupId });
      const { backupMetadata } = (await client.undelete({ ...proof, backupId })).ok();
      expect(backupMetadata.syncFactors).toHaveLength(200);
      const rows = await Array.fromAsync(records.listFactors());
      expect(rows.map((row) => row.backupId)).toEqual(Array.from({ length: 201 }, () => backupId));
      (await client.reset(await resetRequest(client, user))).ok();
    });
  });

  describe(`a backup of 200 devices (${driver.name})`, () => {
    const service = sharedService(driver, { env: { DELETED_KEEP_DAYS: "0" } });

    const deletions: Readonly<Record<string, (user: User) => Promise<void>>> = {
      "its deletion": async (user) => {
        const { client } = service();
        (await client.deleteBackup(await solved(client, "delete-backup", user.sync))).ok();
      },
      "its reset": async (user) => {
        const { client } = service();
        (await client.reset(await resetRequest(client, user))).ok();
      },
      "the removal of its last main factor": async (user) => {
        const { client } = service();
        const factorId = (await metadataOf(client, user)).factors[0]?.id ?? "";
        const proof = await solved(client, "delete-factor", user.sync, { factorId });
        const { backupDeleted } = (await client.deleteFactor({ ...proof, factorId, scope: "MAIN" })).ok();
        expect(backupDeleted).toBe(true);
      },
    };
    for (const [name, deleted] of Object.entries(deletions))
      test(`nothing of it is left after ${name}, and its factors are free`, async () => {
        const { client, services } = service();
        const user = await userOfManyDevices(service());
        await deleted(user);
        const { records } = services.stores;
        expect(await records.read(user.account.backupAccountId)).toBeNull();
        expect(await Array.fromAsync(records.listFactors())).toEqual([]);
        expect(await blobKeys(services)).toEqual([]);
        (await client.create(await createPayload(client, user), user.backup)).ok();
        await deleted(user);
      });
  });
}
