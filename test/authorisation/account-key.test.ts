/** The key inside the account id is no factor: it resets, and nothing else. */
import { beforeAll, describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { type AccountKeypair, createAccountKeypair } from "../support/account-keypair.ts";
import type { ApiResponse } from "../support/api-client.ts";
import { textOf } from "../support/factors.ts";
import { sharedService } from "../support/shared-service.ts";
import { userWithBackup } from "../support/users.ts";
import { challengeFor, challengeOfType, type Issued } from "./challenges.ts";
import { outcomeOf, sendExpired, sendTooEarly } from "./runner.ts";
import { CONTEXTS } from "./table.ts";

for (const driver of DRIVERS)
  describe(`the account key (${driver.name})`, () => {
    const service = sharedService(driver);
    let account: AccountKeypair;
    beforeAll(async () => {
      ({ account } = await userWithBackup(service().client));
    });

    const challenge = async ({ backupAccountId }: AccountKeypair) =>
      (await service().client.keypairChallenge("reset", { backupAccountId })).ok();
    const send = (issued: Issued, signer = account, { backupAccountId } = account) =>
      service().client.reset({
        backupAccountId,
        signature: signer.sign(textOf(issued.challenge)),
        challengeToken: issued.token,
      });
    let used: Issued;

    const resets = (
      how: string,
      status: number,
      code: string,
      attempt: () => Promise<ApiResponse<unknown>>,
    ) =>
      test(`resets ${how}: ${status} ${code}`, async () => {
        expect(outcomeOf(await attempt())).toEqual([status, code]);
      });

    for (const context of CONTEXTS.filter((name) => name !== "reset"))
      resets(`with a challenge for ${context}`, 400, "invalid_challenge_context", async () =>
        send(await challengeFor(service(), context, "keypair")),
      );
    resets("with a challenge that is bound to another account", 400, "invalid_challenge_context", async () =>
      send(await challenge(createAccountKeypair())),
    );
    resets("with a passkey challenge", 400, "unexpected_challenge_type", async () => {
      const { backupAccountId } = account;
      return send(await challengeOfType(service(), "reset", "passkey", { backupAccountId }));
    });
    resets("with a token that has expired", 400, "jwt_error", async () => {
      const issued = await challenge(account);
      return sendExpired(service().clock, () => send(issued));
    });
    resets("with a token that is not yet valid", 400, "jwt_error", async () => {
      const issued = await challenge(account);
      return sendTooEarly(service().clock, () => send(issued));
    });
    resets("with the signature of another key", 400, "signature_verification_error", async () =>
      send(await challenge(account), createAccountKeypair()),
    );
    resets("with a signature over other bytes", 400, "signature_verification_error", async () => {
      const { token } = await challenge(account);
      const otherBytes = Buffer.alloc(32).toString("base64");
      return send({ challenge: otherBytes, token });
    });
    resets("an account without a backup", 404, "not_found", async () => {
      const nobody = createAccountKeypair();
      return send(await challenge(nobody), nobody, nobody);
    });
    resets("as it should be", 204, "done", async () => {
      used = await challenge(account);
      return send(used);
    });
    resets("with a challenge that was used", 400, "already_used", () => send(used));
  });
