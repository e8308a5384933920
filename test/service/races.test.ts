import { describe, expect, test } from "bun:test";
import type { RecordStore } from "../../src/storage/contract.ts";
import { blobsOf } from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import type { ApiResponse } from "../support/api-client.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { Interruptions } from "../support/intercepted-stores.ts";
import {
  addedSyncFactor,
  addSyncFactorCall,
  deleteBackupCall,
  deleteFactorCall,
  listEventsCall,
  type ProvenCall,
  proofOf,
  restoreVersionCall,
  retrieveCall,
  retrieveMetadataCall,
  syncCall,
  verifyFactorCall,
} from "../support/proven-calls.ts";
import { RIVALS } from "../support/rivals.ts";
import { sharedService } from "../support/shared-service.ts";
import { interleaving, replaced } from "../support/store-wrappers.ts";
import { blobKeys, indexed, storedRecord } from "../support/stored.ts";
import {
  addSyncFactorRequest,
  createPayload,
  metadataOf,
  newManifestHash,
  newUser,
  randomBytes,
  recovered,
  resetRequest,
  solved,
  syncPayload,
  type User,
  userWithBackup,
} from "../support/users.ts";

/** Makes requests ready, then sends all at once. */
async function race<T>(
  width: number,
  prepare: (index: number) => Promise<T>,
  send: (prepared: T) => Promise<ApiResponse<unknown>>,
): Promise<ApiResponse<unknown>[]> {
  const prepared: T[] = [];
  for (let index = 0; index < width; index++) prepared.push(await prepare(index));
  return Promise.all(prepared.map(send));
}

/** The one answer that is a success; all others must have one of these codes. */
function expectOneWinner(answers: readonly ApiResponse<unknown>[], loserCodes: readonly string[]): number {
  const winners = answers.flatMap(({ status }, index) => (status < 300 ? [index] : []));
  expect(winners).toHaveLength(1);
  const losers = answers.filter((_, index) => index !== winners[0]);
  expect(losers.map((answer) => answer.code()).filter((code) => !loserCodes.includes(code))).toEqual([]);
  return winners[0] ?? -1;
}

for (const driver of DRIVERS) {
  const width = RIVALS[driver.name];
  describe(`${width} at once (${driver.name})`, () => {
    const service = sharedService(driver, { wrapStores: interleaving });

    /** Sends a create for each user and says who won; the others have left nothing behind. */
    async function createAll(users: readonly User[], loserCodes: readonly string[]): Promise<User> {
      const { client, services } = service();
      const before = await blobKeys(services);
      const answers = await race(
        width,
        async (index) => {
          const user = users[index] ?? newUser();
          return { user, payload: await createPayload(client, user) };
        },
        ({ user, payload }) => client.create(payload, user.backup),
      );
      const winner = users[expectOneWinner(answers, loserCodes)] ?? newUser();
      const { backup, metadata } = await recovered(client, winner);
      expect(Buffer.from(backup, "base64")).toEqual(Buffer.from(winner.backup));
      expect(metadata.manifestHash).toBe(winner.manifestHash);
      expect(await blobKeys(services)).toHaveLength(before.length + 1);
      for (const user of users) {
        const { backupAccountId } = user.account;
        if (backupAccountId !== winner.account.backupAccountId)
          expect(await services.records.read(backupAccountId)).toBeNull();
        if (user.main !== winner.main) expect(await indexed(services, "MAIN", user.main)).toBeNull();
        if (user.sync !== winner.sync) expect(await indexed(services, "SYNC", user.sync)).toBeNull();
      }
      return winner;
    }
    const users = (shared: Partial<User>) =>
      Array.from({ length: width }, () => ({ ...newUser(), ...shared }));

    test("create one account id: one does", async () => {
      const { account } = newUser();
      await createAll(users({ account }), ["backup_account_id_already_exists", "conflicting_lock"]);
    });

    test("create with one main factor: one does", async () => {
      const { main } = newUser();
      const losers = users({ main });
      const winner = await createAll(losers, ["factor_already_exists"]);
      const [other] = losers.filter((user) => user !== winner);
      await userWithBackup(service().client, { ...newUser(), sync: other?.sync ?? createFactorKeypair() });
    });

    test("create with one sync factor: one does", async () => {
      const { sync } = newUser();
      await createAll(users({ sync }), ["factor_already_exists"]);
    });

    test("send one and the same create: one does", async () => {
      const { client, services } = service();
      const user = newUser();
      const payload = await createPayload(client, user);
      const before = await blobKeys(services);
      const answers = await race(
        width,
        async () => payload,
        (same) => client.create(same, user.backup),
      );
      expectOneWinner(answers, ["already_used"]);
      expect(await blobKeys(services)).toHaveLength(before.length + 1);
    });

    test("sync from one state: one does, and content and manifest hash are the winner's", async () => {
      const { client, services } = service();
      const user = await userWithBackup(client);
      const before = await blobKeys(services);
      const sent: { content: Uint8Array; hash: string }[] = [];
      const answers = await race(
        width,
        async (index) => {
          const next = { content: randomBytes(100 + index), hash: newManifestHash() };
          sent.push(next);
          return { ...next, payload: await syncPayload(client, user, next.hash) };
        },
        ({ payload, content }) => client.sync(payload, content),
      );
      const winner = sent[expectOneWinner(answers, ["manifest_hash_mismatch", "conflicting_lock"])];
      const { backup, metadata } = await recovered(client, user);
      expect(metadata.manifestHash).toBe(winner?.hash ?? "");
      expect(metadata.versions.map(({ manifestHash }) => manifestHash)).toEqual([user.manifestHash]);
      expect(Buffer.from(backup, "base64")).toEqual(Buffer.from(winner?.content ?? []));
      expect(await blobKeys(services)).toHaveLength(before.length + 1);
    });

    test("a loser of such a sync is answered 423 while it commits and 412 when it comes later", async () => {
      const { client } = service();
      const user = await userWithBackup(client);
      const late = await syncPayload(client, user);
      const answers = await race(
        width,
        () => syncPayload(client, user),
        (payload) => client.sync(payload, randomBytes(10)),
      );
      for (const { status, body } of answers.filter((answer) => answer.status > 299)) {
        const { allowRetry, error } = body as { allowRetry: boolean; error: { code: string } };
        expect([status, error.code, allowRetry]).toEqual(
          status === 423 ? [423, "conflicting_lock", true] : [412, "manifest_hash_mismatch", false],
        );
      }
      expect((await client.sync(late, randomBytes(10))).status).toBe(412);
    });

    const consumers: readonly ProvenCall[] = [
      verifyFactorCall,
      retrieveCall,
      restoreVersionCall,
      retrieveMetadataCall,
      deleteBackupCall,
      syncCall,
      restoreVersionCall,
      listEventsCall,
      deleteFactorCall,
      addSyncFactorCall,
    ];
    for (const call of consumers)
      test(`use one proof for ${call.name}: one does, and the others are refused as used`, async () => {
        const { client } = service();
        const caller = await call.prepare(client);
        const proof = await proofOf(client, call, caller);
        const answers = await race(
          width,
          async () => proof,
          (same) => caller.send(same),
        );
        expectOneWinner(answers, ["already_used"]);
      });

    test("use one proof for a reset: one does, and the others are refused as used", async () => {
      const { client } = service();
      const request = await resetRequest(client, await userWithBackup(client));
      const answers = await race(
        width,
        async () => request,
        (same) => client.reset(same),
      );
      expectOneWinner(answers, ["already_used"]);
    });

    test("add different sync factors with one token: one does", async () => {
      const { client, services } = service();
      const user = await userWithBackup(client);
      const { syncFactorToken } = await recovered(client, user);
      const phones = Array.from({ length: width }, createFactorKeypair);
      const answers = await race(
        width,
        (index) => addSyncFactorRequest(client, phones[index] ?? createFactorKeypair(), syncFactorToken),
        (request) => client.addSyncFactor(request),
      );
      const winner = expectOneWinner(answers, ["already_used"]);
      expect((await metadataOf(client, user)).syncFactors).toHaveLength(2);
      for (const [index, phone] of phones.entries())
        expect(await indexed(services, "SYNC", phone)).toBe(
          index === winner ? user.account.backupAccountId : null,
        );
    });

    test("add one sync factor to many backups: one does", async () => {
      const { client, services } = service();
      const phone = createFactorKeypair();
      const owners: User[] = [];
      const answers = await race(
        width,
        async () => {
          const user = await userWithBackup(client);
          owners.push(user);
          return addSyncFactorRequest(client, phone, (await recovered(client, user)).syncFactorToken);
        },
        (request) => client.addSyncFactor(request),
      );
      const winner = owners[expectOneWinner(answers, ["factor_already_exists"])];
      expect(await indexed(services, "SYNC", phone)).toBe(winner?.account.backupAccountId ?? "");
      for (const { account } of owners) {
        const { syncFactors } = (await storedRecord(services, account.backupAccountId)).metadata;
        expect(syncFactors).toHaveLength(account === winner?.account ? 2 : 1);
      }
    });

    test("remove the last main factor: one does, and the backup is gone as a whole", async () => {
      const { client, services } = service();
      const user = await userWithBackup(client);
      const { backupAccountId } = user.account;
      const { blob } = await storedRecord(services, backupAccountId);
      const factorId = (await metadataOf(client, user)).factors[0]?.id ?? "";
      const answers = await race(
        width,
        async () => ({
          ...(await solved(client, "delete-factor", user.sync, { factorId })),
          factorId,
          scope: "MAIN",
        }),
        (request) => client.deleteFactor(request),
      );
      expectOneWinner(answers, ["backup_untraceable", "backup_missing", "conflicting_lock"]);
      expect(await services.records.read(backupAccountId)).toBeNull();
      expect(await indexed(services, "MAIN", user.main)).toBeNull();
      expect(await indexed(services, "SYNC", user.sync)).toBeNull();
      const kept = await services.records.readDeleted(backupAccountId);
      expect(kept.map((state) => state.blob)).toEqual([blob]);
      expect(await blobKeys(services)).toContain(blob.key);
      await userWithBackup(client, user);
    });

    test("delete the backup while others sync it: it is gone as a whole", async () => {
      const { client, services } = service();
      const user = await userWithBackup(client);
      const { blob } = await storedRecord(services, user.account.backupAccountId);
      const others = (await blobKeys(services)).filter((key) => key !== blob.key);
      const answers = await race(
        width,
        async (index) =>
          index % 5 === 0
            ? { deletion: await solved(client, "delete-backup", user.sync) }
            : { payload: await syncPayload(client, user) },
        ({ deletion, payload }) =>
          deletion === undefined ? client.sync(payload, randomBytes(10)) : client.deleteBackup(deletion),
      );
      const codes = answers.filter(({ status }) => status > 299).map((answer) => answer.code());
      const allowed = ["backup_untraceable", "backup_missing", "conflicting_lock", "manifest_hash_mismatch"];
      expect(codes.filter((code) => !allowed.includes(code))).toEqual([]);
      expect(answers.filter(({ status }) => status === 204)).toHaveLength(width / 5); // one did, the others repeated it
      expect(await services.records.read(user.account.backupAccountId)).toBeNull();
      const kept = (await services.records.readDeleted(user.account.backupAccountId)).flatMap(blobsOf);
      const expected = [...others, ...kept.map(({ key }) => key)];
      expect((await blobKeys(services)).toSorted()).toEqual(expected.toSorted());
      expect(await indexed(services, "SYNC", user.sync)).toBeNull();
    });

    test("a sync during edits of factors succeeds, and so does each edit", async () => {
      const { client } = service();
      const user = await userWithBackup(client);
      for (let round = 0; round < 5; round++) {
        const removable = await addedSyncFactor(client, user);
        const { syncFactorToken } = await recovered(client, user);
        const addition = await addSyncFactorRequest(client, createFactorKeypair(), syncFactorToken);
        const removal = await solved(client, "delete-factor", user.sync, { factorId: removable });
        const current = (await metadataOf(client, user)).manifestHash;
        const content = randomBytes(2_000 + round);
        const payload = { ...(await syncPayload(client, user)), currentManifestHash: current };
        const [synced, added, removed] = await Promise.all([
          client.sync(payload, content),
          client.addSyncFactor(addition),
          client.deleteFactor({ ...removal, factorId: removable, scope: "SYNC" }),
        ]);
        expect([synced.status, added.status, removed.status]).toEqual([200, 200, 200]);
        const after = await recovered(client, user);
        expect(Buffer.from(after.backup, "base64")).toEqual(Buffer.from(content));
        expect(after.metadata.manifestHash).toBe(payload.newManifestHash);
        expect(after.metadata.syncFactors).toHaveLength(round + 2);
      }
    });

    test("recover a backup while it is synced: each gets a content that was current", async () => {
      const { client } = service();
      const user = await userWithBackup(client);
      const contents = new Map([[user.manifestHash, Buffer.from(user.backup).toString("base64")]]);
      const proofs = [];
      for (let index = 0; index < width; index++) proofs.push(await solved(client, "retrieve", user.main));
      const syncs = (async () => {
        for (let round = 0, current = user.manifestHash; round < 10; round++) {
          const content = randomBytes(300_000);
          const next = newManifestHash();
          contents.set(next, Buffer.from(content).toString("base64"));
          const payload = await syncPayload(client, { ...user, manifestHash: current }, next);
          (await client.sync(payload, content)).ok();
          current = next;
        }
      })();
      // large answers about one backup are given two at a time: the others are asked to come back with the same proof
      const answers = await Promise.all(
        proofs.map(async (proof) => {
          for (;;) {
            const answer = await client.retrieve(proof);
            if (answer.status !== 429) return answer;
          }
        }),
      );
      await syncs;
      for (const answer of answers) {
        const { backup, metadata } = answer.ok();
        expect(backup === contents.get(metadata.manifestHash)).toBe(true);
      }
    });
  });
}

for (const driver of DRIVERS)
  describe(`in the middle of another request (${driver.name})`, () => {
    const interruptions = new Interruptions();
    let seen: RecordStore["read"] | null = null;
    const service = sharedService(driver, {
      wrapStores(stores) {
        const { records, blobs } = interruptions.wrapStores(stores);
        const read: RecordStore["read"] = (backupId) => (seen ?? records.read)(backupId);
        return { blobs, records: replaced(records, { read }) };
      },
    });

    test("a factor that is removed before its sync commits changes nothing", async () => {
      const { client } = service();
      const user = await userWithBackup(client);
      const other = createFactorKeypair();
      const { syncFactorToken } = await recovered(client, user);
      (await client.addSyncFactor(await addSyncFactorRequest(client, other, syncFactorToken))).ok();
      const payload = await syncPayload(client, user);
      const factorId = (await metadataOf(client, user)).syncFactors[0]?.id ?? "";
      const removal = await solved(client, "delete-factor", other, { factorId });
      interruptions.before(
        "records.commit",
        async () => void (await client.deleteFactor({ ...removal, factorId, scope: "SYNC" })).ok(),
      );
      const answer = await client.sync(payload, randomBytes(10));
      expect([answer.status, answer.code()]).toEqual([423, "conflicting_lock"]);
      const { backup, metadata } = await recovered(client, user);
      expect([backup, metadata.manifestHash]).toEqual([
        Buffer.from(user.backup).toString("base64"),
        user.manifestHash,
      ]);
    });

    // the token is read at the time of the first of them
    for (const call of ["records.locate", "records.read"] as const)
      test(`an addition that the same device makes with the same token right before its ${call} finds the token used`, async () => {
        const { client } = service();
        const user = await userWithBackup(client);
        const { syncFactorToken } = await recovered(client, user);
        const device = createFactorKeypair();
        const made = await addSyncFactorRequest(client, device, syncFactorToken);
        const repeated = await addSyncFactorRequest(client, device, syncFactorToken);
        interruptions.before(call, async () => void (await client.addSyncFactor(made)).ok());
        const answer = await client.addSyncFactor(repeated);
        expect([answer.status, answer.code()]).toEqual([400, "already_used"]);
      });

    test("metadata whose creation comes right before the record is read are found", async () => {
      const { client } = service();
      const user = newUser();
      const payload = await createPayload(client, user);
      const { backupAccountId: backupId } = user.account;
      const proof = await solved(client, "retrieve-metadata", user.sync);
      // the device was looked up, and was on no backup
      interruptions.before("records.read", async () => void (await client.create(payload, user.backup)).ok());
      const metadata = (await client.retrieveMetadata({ ...proof, backupId })).ok();
      expect(metadata.manifestHash).toBe(user.manifestHash);
    });

    test("a repeated deletion that a creation by the same device overtakes succeeds, and the creation stands", async () => {
      const { client } = service();
      const user = await userWithBackup(client);
      (await client.deleteBackup(await solved(client, "delete-backup", user.sync))).ok();
      const repeated = await solved(client, "delete-backup", user.sync);
      const payload = await createPayload(client, user);
      // the device was looked up, and was on no backup
      interruptions.before(
        "records.isConsumed",
        async () => void (await client.create(payload, user.backup)).ok(),
      );
      expect((await client.deleteBackup(repeated)).status).toBe(204);
      expect((await client.deleteBackup(repeated)).code()).toBe("already_used");
      expect((await recovered(client, user)).metadata.manifestHash).toBe(user.manifestHash);
    });

    test("a deletion that loses a race is a conflict, though its device has deleted a backup lately", async () => {
      const { client } = service();
      const user = await userWithBackup(client);
      (await client.deleteBackup(await solved(client, "delete-backup", user.sync))).ok();
      await userWithBackup(client, user);
      const deletion = await solved(client, "delete-backup", user.sync);
      const reset = await resetRequest(client, user);
      const payload = await createPayload(client, user);
      interruptions.before("records.commit", async () => {
        (await client.reset(reset)).ok();
        (await client.create(payload, user.backup)).ok();
      });
      const answer = await client.deleteBackup(deletion);
      expect([answer.status, answer.code()]).toEqual([423, "conflicting_lock"]);
      expect((await recovered(client, user)).metadata.manifestHash).toBe(user.manifestHash);
    });

    test("a recovery whose content is replaced again and again tries a limited number of times", async () => {
      const { client, services } = service();
      const user = await userWithBackup(client);
      const proof = await solved(client, "retrieve", user.main);
      const { records } = services;
      const stored = await storedRecord(services, user.account.backupAccountId);
      let reads = 0;
      seen = async () => {
        reads += 1;
        return { ...stored, blob: { ...stored.blob, key: `${stored.blob.key.slice(0, -4)}${1000 + reads}` } };
      };
      const answer = await client.retrieve(proof);
      seen = null;
      expect([answer.status, answer.code(), reads]).toEqual([500, "internal_server_error", 7]);
      expect(await records.read(user.account.backupAccountId)).toEqual(stored);
      (await client.retrieve(proof)).ok(); // the proof was given back
    });
  });
