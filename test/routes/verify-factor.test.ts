import { describe, expect, test } from "bun:test";
import {
  verifyFactor,
  verifyFactorKeypairChallenge,
  verifyFactorPasskeyChallenge,
} from "../../src/protocol/examples/verify-factor.ts";
import { DRIVERS } from "../drivers.ts";
import { play } from "../support/example.ts";
import { verifyFactorCall } from "../support/proven-calls.ts";
import { sharedService } from "../support/shared-service.ts";
import { solved, userWithBackup } from "../support/users.ts";
import { existingFactorContract } from "./existing-factors.ts";
import { proofContract } from "./proofs.ts";
import { jsonRequestContract } from "./requests.ts";

for (const driver of DRIVERS)
  describe(`verify-factor (${driver.name})`, () => {
    test("answers as the API reference shows", () =>
      play(driver, [verifyFactorKeypairChallenge, verifyFactor]));
    test("hands out the passkey challenge that the API reference shows", () =>
      play(driver, [verifyFactorPasskeyChallenge]));

    const service = sharedService(driver);

    test("returns the backup that a main factor is on, and changes nothing", async () => {
      const { client, services } = service();
      const user = await userWithBackup(client);
      const { backupAccountId } = user.account;
      const before = await services.records.read(backupAccountId);

      const proof = await solved(client, "verify-factor", user.main);
      expect((await client.verifyFactor(proof)).ok()).toEqual({ backupId: backupAccountId });
      expect(await services.records.read(backupAccountId)).toEqual(before);
    });

    proofContract(service, verifyFactorCall);
    existingFactorContract(service, verifyFactorCall);
    jsonRequestContract(service, "/v1/verify-factor", async (client) =>
      solved(client, "verify-factor", (await userWithBackup(client)).main),
    );
  });
