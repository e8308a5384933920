import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { CreationOptions, Platform, RequestOptions } from "../auth/webauthn-options.ts";
import { encryptionKeyOf } from "../backup/exported-metadata.ts";
import { jsonBody } from "../http/body.ts";
import { Challenge } from "../http/challenge-route.ts";
import { examples } from "../http/examples.ts";
import { operation } from "../http/openapi.ts";
import {
  Authorization,
  boundedText,
  ChallengeToken,
  EncryptionKey,
  IdToken,
  Metadata,
  object,
  optional,
  PasskeyName,
  PublicKey,
  type Reply,
  TurnkeyProviderId,
} from "../http/schemas.ts";
import type { Services } from "../services.ts";
import { EXISTING_FACTOR_ERRORS, REGISTRATION_ERRORS } from "./factor-errors.ts";
import { mainFactorKind, requireTurnkeyProviderId } from "./factor-kinds.ts";

const MAX_ACTIVITY_BYTES = 16 * 1024;

const AddFactorChallengeRequest = object({
  newFactor: Type.Union(
    [
      object(
        { kind: Type.Literal("OIDC_ACCOUNT"), oidcToken: IdToken },
        { title: "Google or Apple account" },
      ),
      object(
        {
          kind: Type.Literal("PASSKEY_REGISTRATION"),
          platform: Platform,
          name: optional(PasskeyName),
          displayName: optional(PasskeyName),
        },
        { title: "New passkey" },
      ),
      object({ kind: Type.Literal("EC_KEYPAIR"), publicKey: PublicKey }, { title: "P-256 keypair" }),
    ],
    {
      description: "The factor to add.",
      example: { kind: "EC_KEYPAIR", publicKey: examples.publicKey },
    },
  ),
  existingFactorKind: optional(
    Type.Union(
      [
        Type.Literal("PASSKEY"),
        Type.Literal("PASSKEY_ASSERTION"),
        Type.Literal("OIDC_ACCOUNT"),
        Type.Literal("EC_KEYPAIR"),
      ],
      {
        description:
          "How the existing factor will prove itself. `PASSKEY`, also when absent: a passkey stamps a Turnkey activity. `PASSKEY_ASSERTION`: a passkey without Turnkey.",
      },
    ),
  ),
});

export const AddFactorChallengeResponse = Type.Object({
  existingFactorChallenge: Type.Union([Challenge, RequestOptions]),
  existingFactorToken: ChallengeToken,
  newFactorChallenge: Type.Union([Challenge, CreationOptions]),
  newFactorToken: ChallengeToken,
});

const AddFactorRequest = object({
  existingFactorAuthorization: Authorization,
  existingFactorChallengeToken: ChallengeToken,
  existingFactorTurnkeyActivity: optional(
    boundedText(MAX_ACTIVITY_BYTES, {
      description: "The exact JSON text of the Turnkey activity that the passkey stamped.",
    }),
  ),
  newFactorAuthorization: Authorization,
  newFactorChallengeToken: ChallengeToken,
  encryptedBackupKey: optional(EncryptionKey),
  turnkeyProviderId: optional(TurnkeyProviderId),
});

export const AddFactorResponse = Type.Object({
  factorId: Type.String({ description: "The `id` of the new factor.", example: examples.factorId }),
  backupMetadata: Metadata,
});

export function addFactor({ backups, factorAddition }: Services) {
  return new Elysia({ name: "add-factor" })
    .post(
      "/v1/add-factor/challenge",
      ({ body: { newFactor, existingFactorKind } }): Reply<typeof AddFactorChallengeResponse> =>
        factorAddition.challenge(newFactor, existingFactorKind ?? "PASSKEY"),
      {
        ...jsonBody(AddFactorChallengeRequest),
        detail: operation({
          tag: "Challenges",
          summary: "The two challenges to add a main factor",
          description:
            "One for an existing main factor, one for the new one. The existing factor's token commits to the new factor, " +
            "and the two tokens work only with each other. A passkey's challenge is an options object, other challenges are base64.",
          response: AddFactorChallengeResponse,
          errors: ["webauthn_error"],
        }),
      },
    )
    .post(
      "/v1/add-factor",
      async ({ body }): Reply<typeof AddFactorResponse> => {
        const request = {
          ...body,
          existingFactorTurnkeyActivity: body.existingFactorTurnkeyActivity ?? null,
        };
        const existing = await factorAddition.proveExisting(request);
        const added = await factorAddition.proveNew(request, existing);
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
        ...jsonBody(AddFactorRequest),
        detail: operation({
          tag: "Factors",
          summary: "Add a main factor",
          description:
            "Puts a further main factor on a backup, with the encryption key that it needs. An existing main factor agrees " +
            "to this very factor, and the new one proves itself; both tokens are used up together.",
          response: AddFactorResponse,
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
