import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { startService } from "../support/service.ts";
import {
  addSyncFactorRequest,
  metadataOf,
  newManifestHash,
  randomBytes,
  recovered,
  resetRequest,
  solved,
  syncPayload,
  userWithBackup,
} from "../support/users.ts";

for (const driver of DRIVERS)
  describe(`the life of a backup (${driver.name})`, () => {
    test("from create over a new device to the end", async () => {
      await using service = await startService(driver);
      const { client } = service;
      const user = await userWithBackup(client);

      const { backup, metadata, syncFactorToken } = await recovered(client, user);
      expect(Buffer.from(backup, "base64")).toEqual(Buffer.from(user.backup));
      expect(metadata.id).toBe(user.account.backupAccountId);

      const phone = createFactorKeypair();
      expect(
        (await client.addSyncFactor(await addSyncFactorRequest(client, phone, syncFactorToken))).ok(),
      ).toEqual({
        backupId: user.account.backupAccountId,
      });

      const onPhone = { ...user, sync: phone };
      const newer = { hash: newManifestHash(), content: randomBytes(2000) };
      (await client.sync(await syncPayload(client, onPhone, newer.hash), newer.content)).ok();
      const after = await recovered(client, user);
      expect(Buffer.from(after.backup, "base64")).toEqual(Buffer.from(newer.content));
      expect(after.metadata.manifestHash).toBe(newer.hash);
      expect(after.metadata.syncFactors).toHaveLength(2);

      const [oldDevice] = (await metadataOf(client, onPhone)).syncFactors;
      const factorId = oldDevice?.id ?? "";
      const removal = await solved(client, "delete-factor", phone, { factorId });
      const removed = (await client.deleteFactor({ ...removal, factorId, scope: "SYNC" })).ok();
      expect(removed.backupDeleted).toBe(false);
      expect(removed.backupMetadata?.syncFactors).toHaveLength(1);

      (await client.deleteBackup(await solved(client, "delete-backup", phone))).ok();
      expect((await client.backupStatus({ backupId: user.account.backupAccountId })).status).toBe(404);
      expect((await client.retrieve(await solved(client, "retrieve", user.main))).code()).toBe(
        "backup_untraceable",
      );

      await userWithBackup(client, user);
      (await client.reset(await resetRequest(client, user))).ok();
      expect((await client.backupStatus({ backupId: user.account.backupAccountId })).code()).toBe(
        "not_found",
      );
    });
  });
