import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import type { ApiClient } from "../support/api-client.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { sharedService } from "../support/shared-service.ts";
import { indexed, storedRecord } from "../support/stored.ts";
import {
  addSyncFactorRequest,
  createPayload,
  metadataOf,
  newManifestHash,
  newUser,
  recovered,
  syncPayload,
  type User,
  userWithBackup,
} from "../support/users.ts";

const MISMATCH = [409, "encryption_public_key_mismatch"];
const key = newManifestHash; // as many random bytes, as hex

async function userWithKey(client: ApiClient, encryptionPublicKey: string): Promise<User> {
  const user = newUser();
  (await client.create({ ...(await createPayload(client, user)), encryptionPublicKey }, user.backup)).ok();
  return user;
}

for (const driver of DRIVERS)
  describe(`the encryption public key (${driver.name})`, () => {
    const service = sharedService(driver);
    const joining = async (user: User, encryptionPublicKey: unknown) => {
      const { client } = service();
      const phone = createFactorKeypair();
      const { syncFactorToken } = await recovered(client, user);
      const request = await addSyncFactorRequest(client, phone, syncFactorToken);
      return { phone, answer: await client.addSyncFactor({ ...request, encryptionPublicKey }) };
    };

    test("of a create is recorded, in lower case, and returned with the metadata", async () => {
      const { client } = service();
      const recorded = key();
      for (const sent of [recorded, recorded.toUpperCase(), `0x${recorded}`, `0x${recorded.toUpperCase()}`]) {
        const user = newUser();
        const payload = { ...(await createPayload(client, user)), encryptionPublicKey: sent };
        const { backupMetadata } = (await client.create(payload, user.backup)).ok();
        expect(backupMetadata.encryptionPublicKey).toBe(recorded);
        expect((await recovered(client, user)).metadata.encryptionPublicKey).toBe(recorded);
        expect((await metadataOf(client, user)).encryptionPublicKey).toBe(recorded);
      }
    });

    test("is left out where a client sent none", async () => {
      const { client } = service();
      for (const encryptionPublicKey of [undefined, null]) {
        const user = newUser();
        const payload = { ...(await createPayload(client, user)), encryptionPublicKey };
        const { backupMetadata } = (await client.create(payload, user.backup)).ok();
        expect(Object.keys(backupMetadata)).not.toContain("encryptionPublicKey");
      }
    });

    test("of a sync must be the recorded one, or left out", async () => {
      const { client } = service();
      const recorded = key();
      const user = await userWithKey(client, recorded);
      const payload = await syncPayload(client, user);
      const other = await client.sync({ ...payload, encryptionPublicKey: key() }, user.backup);
      expect([other.status, other.code()]).toEqual(MISMATCH);
      const sent = { ...payload, encryptionPublicKey: `0x${recorded.toUpperCase()}` };
      (await client.sync(sent, user.backup)).ok(); // the challenge of a sync that failed is good
      for (const encryptionPublicKey of [undefined, null]) {
        const { manifestHash } = await metadataOf(client, user);
        const next = { ...(await syncPayload(client, user)), currentManifestHash: manifestHash };
        (await client.sync({ ...next, encryptionPublicKey }, user.backup)).ok();
      }
      expect((await metadataOf(client, user)).encryptionPublicKey).toBe(recorded);
    });

    test("of a sync is refused where none is recorded, and changes nothing", async () => {
      const { client, services } = service();
      const user = await userWithBackup(client);
      const before = await storedRecord(services, user.account.backupAccountId);
      const payload = { ...(await syncPayload(client, user)), encryptionPublicKey: key() };
      const refused = await client.sync(payload, user.backup);
      expect([refused.status, refused.code()]).toEqual(MISMATCH);
      expect(await storedRecord(services, user.account.backupAccountId)).toEqual(before);
    });

    test("of a sync is compared after the manifest hash", async () => {
      const { client } = service();
      const user = await userWithKey(client, key());
      const payload = { ...(await syncPayload(client, user)), currentManifestHash: newManifestHash() };
      const refused = await client.sync({ ...payload, encryptionPublicKey: key() }, user.backup);
      expect(refused.code()).toBe("manifest_hash_mismatch");
    });

    test("of a new device is recorded where none is, and must be the same from then on", async () => {
      const { client, services } = service();
      const user = await userWithBackup(client);
      const recorded = key();
      expect((await joining(user, `0x${recorded.toUpperCase()}`)).answer.status).toBe(200);
      expect((await metadataOf(client, user)).encryptionPublicKey).toBe(recorded);
      for (const same of [recorded, null, undefined])
        expect((await joining(user, same)).answer.status).toBe(200);
      const { phone, answer } = await joining(user, key());
      expect([answer.status, answer.code()]).toEqual(MISMATCH);
      expect(await indexed(services, "SYNC", phone)).toBeNull();
      expect((await metadataOf(client, user)).syncFactors).toHaveLength(5);
    });

    test("of a new device that is another one costs it neither its token nor the factor it wanted to replace", async () => {
      const { client, services } = service();
      const recorded = key();
      const user = await userWithKey(client, recorded);
      const before = await storedRecord(services, user.account.backupAccountId);
      const { metadata, syncFactorToken } = await recovered(client, user);
      const phone = createFactorKeypair();
      const request = {
        ...(await addSyncFactorRequest(client, phone, syncFactorToken)),
        syncFactorToReplace: metadata.syncFactors[0]?.id,
      };
      const refused = await client.addSyncFactor({ ...request, encryptionPublicKey: key() });
      expect([refused.status, refused.code()]).toEqual(MISMATCH);
      expect(await storedRecord(services, user.account.backupAccountId)).toEqual(before);
      (await client.addSyncFactor({ ...request, encryptionPublicKey: recorded })).ok();
      expect((await metadataOf(client, { ...user, sync: phone })).syncFactors).toHaveLength(1);
    });

    test("of a device that takes the place of another is recorded with that", async () => {
      const { client } = service();
      const user = await userWithBackup(client);
      const { metadata, syncFactorToken } = await recovered(client, user);
      const [phone, recorded] = [createFactorKeypair(), key()];
      const request = {
        ...(await addSyncFactorRequest(client, phone, syncFactorToken)),
        syncFactorToReplace: metadata.syncFactors[0]?.id,
        encryptionPublicKey: recorded,
      };
      (await client.addSyncFactor(request)).ok();
      const after = await metadataOf(client, { ...user, sync: phone });
      expect(after).toMatchObject({ encryptionPublicKey: recorded, syncFactors: [{}] });
    });

    test("of several devices that join at once: those with the first one do", async () => {
      const { client } = service();
      const user = await userWithBackup(client);
      const keys = [key(), key()];
      const requests = [];
      for (let index = 0; index < 6; index++) {
        const { syncFactorToken } = await recovered(client, user);
        const request = await addSyncFactorRequest(client, createFactorKeypair(), syncFactorToken);
        requests.push({ ...request, encryptionPublicKey: keys[index % 2] });
      }
      const answers = await Promise.all(requests.map((request) => client.addSyncFactor(request)));
      const { encryptionPublicKey } = await metadataOf(client, user);
      for (const [index, answer] of answers.entries()) {
        if (answer.status === 200) expect(encryptionPublicKey).toBe(keys[index % 2] ?? "");
        else expect(["encryption_public_key_mismatch", "conflicting_lock"]).toContain(answer.code());
      }
      expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThan(0);
    });

    for (const wrong of ["a".repeat(62), "x".repeat(64), `0X${"a".repeat(64)}`, "", 1])
      test(`is no ${JSON.stringify(wrong)}`, async () => {
        const { client } = service();
        const user = await userWithBackup(client);
        const { answer } = await joining(user, wrong);
        expect([answer.status, answer.code()]).toEqual([422, "invalid_payload"]);
        const payload = { ...(await createPayload(client, newUser())), encryptionPublicKey: wrong };
        const created = await client.create(payload, user.backup);
        expect([created.status, created.code()]).toEqual([400, "invalid_payload"]);
      });
  });
