import { Elysia } from "elysia";
import { verifyAccountSignature } from "../auth/account-key.ts";
import { jsonBody } from "../http/body.ts";
import { keypairChallengeRoute } from "../http/challenge-route.ts";
import { examples } from "../http/examples.ts";
import { operation } from "../http/openapi.ts";
import { contextOf } from "../http/request-context.ts";
import { BackupAccountId, ChallengeToken, object, text } from "../http/schemas.ts";
import type { Services } from "../services.ts";

const ResetRequest = object({
  backupAccountId: BackupAccountId,
  signature: text({
    description:
      "Base64 of the DER ECDSA-SHA256 signature over the raw challenge bytes by the account's secp256k1 key, low s.",
    example: examples.signature,
  }),
  challengeToken: ChallengeToken,
});

export function reset(services: Services) {
  const { backups, challengeTokens, requestLimits } = services;
  return new Elysia({ name: "reset" })
    .use(
      keypairChallengeRoute(services, {
        operation: "reset",
        purpose: "reset a backup with its account key",
        bound: { name: "backupAccountId", schema: BackupAccountId },
      }),
    )
    .post(
      "/v1/reset",
      async ({ body: { backupAccountId, signature, challengeToken }, request }) => {
        const context = contextOf(request);
        context.backupId = backupAccountId;
        const { challenge, oneTime } = await challengeTokens.open(challengeToken, "keypair", {
          operation: "reset",
          bindings: { backupAccountId },
        });
        verifyAccountSignature(backupAccountId, signature, challenge);
        await requestLimits.limitDestruction(context.address, () =>
          backups.reset(backupAccountId, [oneTime]),
        );
      },
      {
        ...jsonBody(ResetRequest),
        detail: operation({
          tag: "Backups",
          summary: "Reset a backup",
          description:
            "Deletes a backup on behalf of the holder of the key inside its id, for users who lost every factor but not " +
            "their data. Afterwards the id can be created again.",
          response: null,
          errors: [
            "jwt_error",
            "unexpected_challenge_type",
            "invalid_challenge_context",
            "invalid_backup_account_id",
            "invalid_signature",
            "signature_verification_error",
            "already_used",
            "not_found",
            "conflicting_lock",
          ],
        }),
      },
    );
}
