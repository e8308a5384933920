import { describe, expect, test } from "bun:test";
import type { ApiClient, RequestBody } from "../../src/cli/api-client.ts";
import { createFactorKeypair } from "../../src/cli/device-keys.ts";
import { factorKeys } from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import { addedSyncFactor, deleteBackupCall } from "../support/proven-calls.ts";
import { sharedService } from "../support/shared-service.ts";
import { blobKeys } from "../support/stored.ts";
import { recovered, solved, userWithBackup } from "../support/users.ts";
import { existingFactorContract } from "./existing-factors.ts";
import { proofContract } from "./proofs.ts";
import { jsonRequestContract } from "./requests.ts";

const validRequest = async (client: ApiClient): Promise<RequestBody> =>
  solved(client, "delete-backup", (await userWithBackup(client)).sync);

for (const driver of DRIVERS)
  describe(`delete-backup (${driver.name})`, () => {
    const service = sharedService(driver);

    test("takes content, metadata and every index row with it", async () => {
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
      expect(await blobKeys(services)).not.toContain(blob);
      for (const [scope, { publicKey }] of [
        ["MAIN", user.main],
        ["SYNC", user.sync],
        ["SYNC", phone],
      ] as const)
        expect(
          (await services.records.locate({ scope, key: factorKeys.ecKeypair(publicKey) }, [])).backupId,
        ).toBeNull();
    });

    test("lets id and factors be used anew at once", async () => {
      const { client } = service();
      const user = await userWithBackup(client);
      (await client.deleteBackup(await solved(client, "delete-backup", user.sync))).ok();
      await userWithBackup(client, user);
      expect((await recovered(client, user)).metadata.factors).toHaveLength(1);
    });

    proofContract(service, deleteBackupCall);
    existingFactorContract(service, deleteBackupCall);
    jsonRequestContract(service, "/v1/delete-backup", validRequest);

    describe("refuses", () => {
      const cases: readonly (readonly [
        name: string,
        mutate: (request: RequestBody) => RequestBody,
        status: number,
        code: string,
      ])[] = [
        [
          "a passkey",
          (request) => ({ ...request, authorization: { kind: "PASSKEY", credential: {} } }),
          400,
          "invalid_authorization_type",
        ],
        ["an empty token", (request) => ({ ...request, challengeToken: "" }), 400, "jwt_error"],
        [
          "a token of the longest length",
          (request) => ({ ...request, challengeToken: "x".repeat(32_768) }),
          400,
          "jwt_error",
        ],
      ];
      for (const [name, mutate, status, code] of cases)
        test(`${name}, and deletes nothing`, async () => {
          const { client } = service();
          const user = await userWithBackup(client);
          const request = await solved(client, "delete-backup", user.sync);
          const answer = await client.deleteBackup(mutate(request));
          expect([answer.status, answer.code()]).toEqual([status, code]);
          expect((await client.status(user.account.backupAccountId)).status).toBe(200);
        });
    });
  });
