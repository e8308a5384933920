import { describe, expect, test } from "bun:test";
import { sync, syncChallenge } from "../../src/protocol/examples/sync.ts";
import type { JsonObject, JsonValue } from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import type { ApiClient } from "../support/api-client.ts";
import { play } from "../support/example.ts";
import { syncCall } from "../support/proven-calls.ts";
import { sharedService } from "../support/shared-service.ts";
import { blobKeys, firstUsedAt, rewriteMetadata, storedRecord } from "../support/stored.ts";
import {
  newManifestHash,
  randomBytes,
  recovered,
  syncPayload,
  type User,
  userWithBackup,
} from "../support/users.ts";
import { existingFactorContract } from "./existing-factors.ts";
import { proofContract } from "./proofs.ts";
import {
  authorizationMutations,
  changed,
  type Mutation,
  payloadContract,
  type Refusal,
  tokenMutations,
} from "./requests.ts";

const MUTATIONS: readonly Mutation[] = [
  ...authorizationMutations("authorization"),
  ...tokenMutations("challengeToken"),
  ...["currentManifestHash", "newManifestHash"].flatMap((name): Mutation[] => [
    [`without ${name}`, { [name]: undefined }, `/${name}`],
    [`with ${name} null`, { [name]: null }, `/${name}`],
    [`with ${name} of 31 bytes`, { [name]: "a".repeat(62) }, `/${name}`],
    [`with ${name} that is no hex`, { [name]: "x".repeat(64) }, `/${name}`],
    [`with ${name} after 0X`, { [name]: `0X${"a".repeat(64)}` }, `/${name}`],
  ]),
  ["with encryptionPublicKey of 31 bytes", { encryptionPublicKey: "a".repeat(62) }, "/encryptionPublicKey"],
  [
    "with encryptionPublicKey that is no hex",
    { encryptionPublicKey: "x".repeat(64) },
    "/encryptionPublicKey",
  ],
];

for (const driver of DRIVERS)
  describe(`sync (${driver.name})`, () => {
    test("answers as the API reference shows", () => play(driver, [syncChallenge, sync]));

    const service = sharedService(driver);

    test("replaces content and manifest hash, and nothing else but when the factor was used", async () => {
      const { client, clock, services } = service();
      const user = await userWithBackup(client);
      const { backupAccountId } = user.account;
      const before = await storedRecord(services, backupAccountId);
      const newer = { hash: newManifestHash(), content: randomBytes(3_000) };

      const answer = await client.sync(await syncPayload(client, user, newer.hash), newer.content);
      expect(answer.ok()).toEqual({ backupId: backupAccountId });
      const after = await storedRecord(services, backupAccountId);
      expect(after.metadata).toEqual({
        ...firstUsedAt(before.metadata, clock.nowMs()),
        manifestHash: newer.hash,
        contentAtMs: clock.nowMs(),
      });
      expect(Buffer.from((await recovered(client, user)).backup, "base64")).toEqual(
        Buffer.from(newer.content),
      );
      expect(await blobKeys(services)).toEqual(expect.arrayContaining([after.blob.key, before.blob.key]));
      expect(after.versions.map(({ blob }) => blob)).toEqual([before.blob]);
    });

    test("keeps members of the metadata that this version does not know, at every level", async () => {
      const { client, clock, services } = service();
      const user = await userWithBackup(client);
      const { backupAccountId } = user.account;
      const more = { since: "later", list: [1, null, { deep: true }] };
      const withMore = (list: JsonValue | undefined) =>
        (list as JsonObject[]).map((member) => ({ ...member, more }));
      const metadata = await rewriteMetadata(services, backupAccountId, (stored) => ({
        ...stored,
        more,
        keys: withMore(stored.keys),
        factors: withMore(stored.factors),
        syncFactors: withMore(stored.syncFactors),
      }));

      const hash = newManifestHash();
      (await client.sync(await syncPayload(client, user, hash), randomBytes(10))).ok();
      expect((await storedRecord(services, backupAccountId)).metadata).toEqual({
        ...firstUsedAt(metadata, clock.nowMs()),
        manifestHash: hash,
      });
    });

    for (const [name, written] of [
      ["after 0x", (hash: string) => `0x${hash}`],
      ["in capitals", (hash: string) => hash.toUpperCase()],
      ["in capitals after 0x", (hash: string) => `0x${hash.toUpperCase()}`],
    ] as const)
      test(`reads manifest hashes ${name}`, async () => {
        const { client } = service();
        const user = await userWithBackup(client);
        const hash = newManifestHash();
        const payload = await syncPayload(client, user, written(hash));
        const sent = { ...payload, currentManifestHash: written(payload.currentManifestHash) };
        (await client.sync(sent, randomBytes(10))).ok();
        expect((await recovered(client, user)).metadata.manifestHash).toBe(hash);
      });

    test("to the same manifest hash replaces the content all the same", async () => {
      const { client } = service();
      const user = await userWithBackup(client);
      const content = randomBytes(10);
      (await client.sync(await syncPayload(client, user, user.manifestHash), content)).ok();
      expect(Buffer.from((await recovered(client, user)).backup, "base64")).toEqual(Buffer.from(content));
    });

    test("that was a mismatch may be corrected and sent with the same token", async () => {
      const { client, services } = service();
      const user = await userWithBackup(client);
      const before = await blobKeys(services);
      const payload = await syncPayload(client, user);
      const wrong = { ...payload, currentManifestHash: newManifestHash() };
      const refused = await client.sync(wrong, randomBytes(10));
      expect([refused.status, refused.code()]).toEqual([412, "manifest_hash_mismatch"]);
      expect((await blobKeys(services)).toSorted()).toEqual(before.toSorted());

      (await client.sync(payload, randomBytes(10))).ok();
      expect((await client.sync(payload, randomBytes(10))).code()).toBe("already_used");
      expect((await client.sync(wrong, randomBytes(10))).code()).toBe("already_used");
    });

    proofContract(service, syncCall);
    existingFactorContract(service, syncCall);
    payloadContract(
      service,
      "/v1/sync",
      async (client) => syncPayload(client, await userWithBackup(client)),
      MUTATIONS,
    );

    describe("refuses", () => {
      const passkey = { kind: "PASSKEY", credential: {} };
      const cases: readonly Refusal[] = [
        ["another manifest hash", { currentManifestHash: newManifestHash() }, 412, "manifest_hash_mismatch"],
        [
          "the new manifest hash as the current one",
          (body) => ({ ...body, currentManifestHash: body.newManifestHash }),
          412,
          "manifest_hash_mismatch",
        ],
        ["a passkey", { authorization: passkey }, 400, "invalid_authorization_type"],
        [
          "a passkey before its token",
          { authorization: passkey, challengeToken: "x" },
          400,
          "invalid_authorization_type",
        ],
        [
          "a bad token before another manifest hash",
          { challengeToken: "x", currentManifestHash: newManifestHash() },
          400,
          "jwt_error",
        ],
      ];
      const unchanged = async (client: ApiClient, user: User) => {
        const { backup, metadata } = await recovered(client, user);
        expect(metadata.manifestHash).toBe(user.manifestHash);
        expect(Buffer.from(backup, "base64")).toEqual(Buffer.from(user.backup));
      };
      for (const [name, change, status, code] of cases)
        test(`${name}, and changes nothing`, async () => {
          const { client } = service();
          const user = await userWithBackup(client);
          const answer = await client.sync(
            await changed(await syncPayload(client, user), change),
            randomBytes(10),
          );
          expect([answer.status, answer.code()]).toEqual([status, code]);
          await unchanged(client, user);
        });

      test("an empty backup, and changes nothing", async () => {
        const { client } = service();
        const user = await userWithBackup(client);
        const answer = await client.sync(await syncPayload(client, user), new Uint8Array(0));
        expect([answer.status, answer.code()]).toEqual([400, "empty_backup_file"]);
        await unchanged(client, user);
      });
    });
  });
