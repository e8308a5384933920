import { describe, expect, test } from "bun:test";
import { deleteBackup, deleteBackupChallenge } from "../../src/protocol/examples/delete-backup.ts";
import { factorKeys } from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import type { ApiClient, ApiResponse, RequestBody } from "../support/api-client.ts";
import { play } from "../support/example.ts";
import { createFactorKeypair, type FactorKeypair } from "../support/factor-keypair.ts";
import { addedSyncFactor, deleteBackupCall } from "../support/proven-calls.ts";
import { sharedService } from "../support/shared-service.ts";
import { interleaving } from "../support/store-wrappers.ts";
import { blobKeys } from "../support/stored.ts";
import { metadataOf, newUser, recovered, resetRequest, solved, userWithBackup } from "../support/users.ts";
import { existingFactorContract } from "./existing-factors.ts";
import { proofContract } from "./proofs.ts";
import { changed, jsonRequestContract, type Refusal } from "./requests.ts";

const LIFETIME_MS = 15 * 60 * 1000;

const validRequest = async (client: ApiClient): Promise<RequestBody> =>
  solved(client, "delete-backup", (await userWithBackup(client)).sync);

for (const driver of DRIVERS)
  describe(`delete-backup (${driver.name})`, () => {
    test("answers as the API reference shows", () => play(driver, [deleteBackupChallenge, deleteBackup]));

    const service = sharedService(driver, { wrapStores: interleaving });

    test("takes metadata and every index row with it", async () => {
      const { client, services } = service();
      const user = await userWithBackup(client);
      const phone = createFactorKeypair();
      await addedSyncFactor(client, user, phone);
      const { backupAccountId } = user.account;
      const blob = (await services.records.read(backupAccountId))?.blob.key ?? "";
      expect(await blobKeys(services)).toContain(blob);

      const answer = await client.deleteBackup(await solved(client, "delete-backup", phone));
      expect(answer.ok()).toBeNull();
      expect(answer.status).toBe(204);
      expect(await services.records.read(backupAccountId)).toBeNull();
      expect(await blobKeys(services)).toContain(blob); // until the backup can be brought back no longer
      for (const [scope, { publicKey }] of [
        ["MAIN", user.main],
        ["SYNC", user.sync],
        ["SYNC", phone],
      ] as const)
        expect(
          (await services.records.locate({ scope, key: factorKeys.ecKeypair(publicKey) }, [])).backupId,
        ).toBeNull();
    });

    test("lets id and factors be used again at once", async () => {
      const { client } = service();
      const user = await userWithBackup(client);
      (await client.deleteBackup(await solved(client, "delete-backup", user.sync))).ok();
      await userWithBackup(client, user);
      expect((await recovered(client, user)).metadata.factors).toHaveLength(1);
    });

    describe("that is repeated with a fresh challenge because the answer was lost", () => {
      const deletion = async (keypair: FactorKeypair) => {
        const { client } = service();
        return client.deleteBackup(await solved(client, "delete-backup", keypair));
      };
      const expectUntraceable = (answer: ApiResponse<unknown>) =>
        expect([answer.status, answer.code()]).toEqual([400, "backup_untraceable"]);

      test("succeeds for 15 minutes, and uses each proof up", async () => {
        const { client, clock } = service();
        const { sync } = await userWithBackup(client);
        expect((await deletion(sync)).status).toBe(204);
        clock.advance(LIFETIME_MS - 1);
        const request = await solved(client, "delete-backup", sync);
        expect((await client.deleteBackup(request)).status).toBe(204);
        expect((await client.deleteBackup(request)).code()).toBe("already_used");
        clock.advance(1);
        expectUntraceable(await deletion(sync));
      });

      test("succeeds once for one proof that is sent many times at once", async () => {
        const { client } = service();
        const { sync } = await userWithBackup(client);
        expect((await deletion(sync)).status).toBe(204);
        const request = await solved(client, "delete-backup", sync);
        const answers = await Promise.all(Array.from({ length: 20 }, () => client.deleteBackup(request)));
        const refused = answers.filter(({ status }) => status !== 204).map((answer) => answer.code());
        expect(refused).toEqual(Array.from({ length: 19 }, () => "already_used"));
      });

      test("is untraceable for another device of the backup and for other calls", async () => {
        const { client } = service();
        const user = await userWithBackup(client);
        const phone = createFactorKeypair();
        await addedSyncFactor(client, user, phone);
        expect((await deletion(phone)).status).toBe(204);
        expectUntraceable(await deletion(user.sync));
        expectUntraceable(await client.retrieveMetadata(await solved(client, "retrieve-metadata", phone)));
      });

      test("is untraceable after a reset and after the removal of the last main factor", async () => {
        const { client } = service();
        const [one, other] = [await userWithBackup(client), await userWithBackup(client)];
        (await client.reset(await resetRequest(client, one))).ok();
        expectUntraceable(await deletion(one.sync));
        const factorId = (await metadataOf(client, other)).factors[0]?.id ?? "";
        const proof = await solved(client, "delete-factor", other.sync, { factorId });
        (await client.deleteFactor({ ...proof, factorId, scope: "MAIN" })).ok();
        expectUntraceable(await deletion(other.sync));
      });

      test("deletes the backup that the key is on by then, and starts the 15 minutes again", async () => {
        const { client, clock } = service();
        const user = await userWithBackup(client);
        expect((await deletion(user.sync)).status).toBe(204);
        clock.advance(LIFETIME_MS / 2);
        const next = await userWithBackup(client, { ...newUser(), sync: user.sync });
        expect((await deletion(user.sync)).status).toBe(204);
        expect((await client.backupStatus({ backupId: next.account.backupAccountId })).status).toBe(404);
        clock.advance(LIFETIME_MS - 1);
        expect((await deletion(user.sync)).status).toBe(204);
        clock.advance(1);
        expectUntraceable(await deletion(user.sync));
      });

      test("succeeds also while the first one is under way", async () => {
        const { client } = service();
        const { sync } = await userWithBackup(client);
        const requests = [];
        for (let n = 0; n < 20; n++) requests.push(await solved(client, "delete-backup", sync));
        const answers = await Promise.all(requests.map((request) => client.deleteBackup(request)));
        expect(answers.map(({ status }) => status)).toEqual(requests.map(() => 204));
      });
    });

    proofContract(service, deleteBackupCall);
    existingFactorContract(service, deleteBackupCall);
    jsonRequestContract(service, "/v1/delete-backup", validRequest);

    describe("refuses", () => {
      const cases: readonly Refusal[] = [
        [
          "a passkey",
          { authorization: { kind: "PASSKEY", credential: {} } },
          400,
          "invalid_authorization_type",
        ],
        ["an empty token", { challengeToken: "" }, 400, "jwt_error"],
        ["a token of the longest length", { challengeToken: "x".repeat(32_768) }, 400, "jwt_error"],
      ];
      for (const [name, change, status, code] of cases)
        test(`${name}, and deletes nothing`, async () => {
          const { client } = service();
          const user = await userWithBackup(client);
          const request = await solved(client, "delete-backup", user.sync);
          const answer = await client.deleteBackup(await changed(request, change));
          expect([answer.status, answer.code()]).toEqual([status, code]);
          expect((await client.backupStatus({ backupId: user.account.backupAccountId })).status).toBe(200);
        });
    });
  });
