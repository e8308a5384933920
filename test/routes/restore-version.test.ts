import { describe, expect, test } from "bun:test";
import { restoreVersion, restoreVersionChallenge } from "../../src/protocol/examples/restore-version.ts";
import { DRIVERS } from "../drivers.ts";
import type { ApiClient } from "../support/api-client.ts";
import { play } from "../support/example.ts";
import { restoreVersionCall } from "../support/proven-calls.ts";
import { sharedService } from "../support/shared-service.ts";
import { blobKeys, storedRecord } from "../support/stored.ts";
import {
  metadataOf,
  newManifestHash,
  recovered,
  replacedContent,
  solved,
  type User,
  userWithBackup,
} from "../support/users.ts";
import { existingFactorContract } from "./existing-factors.ts";
import { proofContract } from "./proofs.ts";
import {
  authorizationMutations,
  changed,
  jsonRequestContract,
  long,
  type Mutation,
  type Refusal,
  tokenMutations,
} from "./requests.ts";

const MUTATIONS: readonly Mutation[] = [
  ...authorizationMutations("authorization"),
  ...tokenMutations("challengeToken"),
  ["without versionId", { versionId: undefined }, "/versionId"],
  ["with versionId null", { versionId: null }, "/versionId"],
  ["with versionId over 4 KiB", { versionId: long(4 * 1024 + 1) }, "/versionId"],
  ["without currentManifestHash", { currentManifestHash: undefined }, "/currentManifestHash"],
  ["with currentManifestHash of 31 bytes", { currentManifestHash: "a".repeat(62) }, "/currentManifestHash"],
];

async function restoreRequest(client: ApiClient, user: User, versionId: string) {
  const proof = await solved(client, "restore-version", user.sync, { versionId });
  return { ...proof, versionId, currentManifestHash: user.manifestHash };
}

for (const driver of DRIVERS)
  describe(`restore-version (${driver.name})`, () => {
    test("answers as the API reference shows", () => play(driver, [restoreVersionChallenge, restoreVersion]));

    const service = sharedService(driver);

    test("makes content and manifest hash of a version current, and a version of what was current", async () => {
      const { client, clock, services } = service();
      const first = await userWithBackup(client);
      const createdAt = Math.floor(clock.nowMs() / 1000);
      clock.advance(60_000);
      const { user, versionId } = await replacedContent(client, first);
      const before = await storedRecord(services, user.account.backupAccountId);
      const keys = await blobKeys(services);
      clock.advance(60_000);

      const answer = (await client.restoreVersion(await restoreRequest(client, user, versionId))).ok();
      const now = createdAt + 120;
      expect(answer.backupId).toBe(user.account.backupAccountId);
      expect(answer.backupMetadata).toMatchObject({
        manifestHash: first.manifestHash,
        versions: [
          {
            versionId: expect.stringMatching(/^[0-9a-f-]{36}$/),
            manifestHash: user.manifestHash,
            size: user.backup.length,
            createdAt: createdAt + 60,
            replacedAt: now,
          },
        ],
      });
      expect(answer.backupMetadata.versions[0]?.versionId).not.toBe(versionId);
      const { backup, metadata } = await recovered(client, user);
      expect(Buffer.from(backup, "base64")).toEqual(Buffer.from(first.backup));
      expect(metadata).toEqual(answer.backupMetadata);
      expect(await blobKeys(services)).toEqual(keys);
      expect((await storedRecord(services, user.account.backupAccountId)).versions[0]?.blob).toEqual(
        before.blob,
      );
    });

    test("can be undone by another", async () => {
      const { client } = service();
      const { user, versionId } = await replacedContent(client, await userWithBackup(client));
      const there = (await client.restoreVersion(await restoreRequest(client, user, versionId))).ok();
      const restored = { ...user, manifestHash: there.backupMetadata.manifestHash };
      const back = there.backupMetadata.versions[0]?.versionId ?? "";
      (await client.restoreVersion(await restoreRequest(client, restored, back))).ok();
      const { backup, metadata } = await recovered(client, user);
      expect(Buffer.from(backup, "base64")).toEqual(Buffer.from(user.backup));
      expect(metadata.manifestHash).toBe(user.manifestHash);
      expect(metadata.versions).toHaveLength(1);
    });

    proofContract(service, restoreVersionCall);
    existingFactorContract(service, restoreVersionCall);
    jsonRequestContract(
      service,
      "/v1/restore-version",
      async (client) => {
        const { user, versionId } = await replacedContent(client, await userWithBackup(client));
        return restoreRequest(client, user, versionId);
      },
      MUTATIONS,
    );

    describe("refuses", () => {
      const cases: readonly Refusal[] = [
        ["another manifest hash", { currentManifestHash: newManifestHash() }, 412, "manifest_hash_mismatch"],
        [
          "a passkey",
          { authorization: { kind: "PASSKEY", credential: {} } },
          400,
          "invalid_authorization_type",
        ],
        [
          "a version that the challenge is not for",
          { versionId: crypto.randomUUID() },
          400,
          "invalid_challenge_context",
        ],
      ];
      for (const [name, change, status, code] of cases)
        test(`${name}, and changes nothing`, async () => {
          const { client } = service();
          const { user, versionId } = await replacedContent(client, await userWithBackup(client));
          const before = await metadataOf(client, user);
          const request = await changed(await restoreRequest(client, user, versionId), change);
          const answer = await client.restoreVersion(request);
          expect([answer.status, answer.code()]).toEqual([status, code]);
          expect(await metadataOf(client, user)).toEqual(before);
        });

      test("a version that the backup does not have, and another backup's", async () => {
        const { client } = service();
        const { user } = await replacedContent(client, await userWithBackup(client));
        const other = await replacedContent(client, await userWithBackup(client));
        for (const versionId of [crypto.randomUUID(), "", "x", "__proto__", other.versionId]) {
          const answer = await client.restoreVersion(await restoreRequest(client, user, versionId));
          expect([versionId, answer.status, answer.code()]).toEqual([versionId, 400, "version_not_found"]);
        }
      });
    });
  });
