import { Elysia } from "elysia";
import { encryptionKeyOf } from "../backups/view.ts";
import { jsonBody } from "../http/body/body.ts";
import { describeOperation } from "../http/reference/openapi.ts";
import type { Reply } from "../http/response/reply.ts";
import { operations } from "../protocol/operations.ts";
import type { Services } from "../services.ts";
import { EXISTING_FACTOR_ERRORS, REGISTRATION_ERRORS } from "./factor-errors.ts";
import { mainFactorKind, requireTurnkeyProviderId } from "./factor-kinds.ts";

export function addFactor({ backups, factorAddition }: Services) {
  return new Elysia({ name: "add-factor" })
    .post(
      operations.addFactorChallenge.path,
      ({ body: { newFactor, existingFactorKind } }): Reply<typeof operations.addFactorChallenge> =>
        factorAddition.challenge(newFactor, existingFactorKind ?? "PASSKEY"),
      {
        ...jsonBody(operations.addFactorChallenge.request),
        detail: describeOperation(operations.addFactorChallenge, {
          tag: "Challenges",
          summary: "The two challenges to add a main factor",
          description:
            "One for an existing main factor, one for the new one. The existing factor's token commits to the new factor, " +
            "and the two tokens work only with each other. A passkey's challenge is an options object, other challenges are base64.",
          errors: ["webauthn_error"],
        }),
      },
    )
    .post(
      operations.addFactor.path,
      async ({ body }): Reply<typeof operations.addFactor> => {
        const existing = await factorAddition.proveExisting(body);
        const added = await factorAddition.proveNew(body, existing);
        const turnkeyProviderId = requireTurnkeyProviderId(
          body.newFactorAuthorization,
          body.turnkeyProviderId,
        );
        const { factorId, metadata } = await backups.addMainFactor(
          existing.proof,
          { ...added, kind: mainFactorKind(added.kind, turnkeyProviderId) },
          body.encryptedBackupKey == null ? null : encryptionKeyOf(body.encryptedBackupKey),
        );
        return { factorId, backupMetadata: metadata };
      },
      {
        ...jsonBody(operations.addFactor.request),
        detail: describeOperation(operations.addFactor, {
          tag: "Factors",
          summary: "Add a main factor",
          description:
            "Puts a further main factor on a backup, with the encryption key that it needs. An existing main factor agrees " +
            "to this very factor, and the new one proves itself; both tokens are used up together.",
          errors: [
            "missing_turnkey_activity",
            "turnkey_activity_error",
            "invalid_turnkey_activity",
            "invalid_challenge",
            ...EXISTING_FACTOR_ERRORS.MAIN,
            "invalid_new_factor_type",
            "invalid_new_factor_authorization_type",
            "oidc_token_mismatch",
            "missing_turnkey_provider_id",
            ...REGISTRATION_ERRORS,
            "factor_already_exists",
            "only_one_encryption_key_per_type_allowed",
            "too_many_factors",
            "conflicting_lock",
          ],
        }),
      },
    );
}
