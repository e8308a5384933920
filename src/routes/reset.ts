import { Elysia } from "elysia";
import { jsonBody } from "../http/body/body.ts";
import { keypairChallengeRoute } from "../http/challenge-route.ts";
import { describeOperation } from "../http/reference/openapi.ts";
import { contextOf } from "../http/request-context.ts";
import type { Reply } from "../http/response/reply.ts";
import { verifyAccountSignature } from "../proofs/account-key.ts";
import { operations } from "../protocol/operations.ts";
import type { Services } from "../services.ts";

const { reset: wire } = operations;

export function reset(services: Services) {
  const { backups, challengeTokens, requestLimits } = services;
  return new Elysia({ name: "reset" })
    .use(
      keypairChallengeRoute(services, {
        operation: "reset",
        purpose: "reset a backup with its account key",
      }),
    )
    .post(
      wire.path,
      async ({ body: { backupAccountId, signature, challengeToken }, request }): Reply<typeof wire> => {
        const context = contextOf(request);
        context.backupId = backupAccountId;
        const { challenge, nonce } = await challengeTokens.open(challengeToken, "keypair", {
          operation: "reset",
          bindings: { backupAccountId },
        });
        verifyAccountSignature(backupAccountId, signature, challenge);
        await requestLimits.limitDestruction(context.address, () => backups.reset(backupAccountId, [nonce]));
      },
      {
        ...jsonBody(wire.request),
        detail: describeOperation(wire, {
          tag: "Backups",
          summary: "Reset a backup",
          description:
            "Deletes a backup on behalf of the holder of the key inside its id, for users who lost every factor but not " +
            "their data. Afterwards the id can be created again.",
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
