/** The requests and responses for adding a main factor. */
import { type Static, Type } from "@sinclair/typebox";
import { Authorization, IdToken, PublicKey } from "./authorization.ts";
import { Challenge, ChallengeToken } from "./challenge.ts";
import { EncryptionKey, TurnkeyProviderId } from "./encryption-key.ts";
import { Metadata } from "./metadata.ts";
import { object, optional } from "./object.ts";
import { boundedText, KIB } from "./text.ts";
import { CreationOptions, PasskeyName, Platform, RequestOptions } from "./webauthn.ts";

export const NewFactor = Type.Union(
  [
    object({ kind: Type.Literal("OIDC_ACCOUNT"), oidcToken: IdToken }, { title: "Google or Apple account" }),
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
  { description: "The factor to add." },
);
/** The factor to add, as the request for challenges describes it. */
export type NewFactor = Static<typeof NewFactor>;

export const ExistingFactorKind = Type.Union(
  [
    Type.Literal("PASSKEY"),
    Type.Literal("PASSKEY_ASSERTION"),
    Type.Literal("OIDC_ACCOUNT"),
    Type.Literal("EC_KEYPAIR"),
  ],
  {
    description:
      "The kind of proof that the existing factor will send. `PASSKEY`, the default: a Turnkey activity stamped by a passkey. `PASSKEY_ASSERTION`: a passkey assertion without Turnkey.",
  },
);
/** The kind of proof of the existing factor. `PASSKEY` is a Turnkey stamp, `PASSKEY_ASSERTION` an ordinary assertion. */
export type ExistingFactorKind = Static<typeof ExistingFactorKind>;

export const AddFactorChallengeRequest = object({
  newFactor: NewFactor,
  existingFactorKind: optional(ExistingFactorKind),
});

export const AddFactorChallengeResponse = Type.Object({
  existingFactorChallenge: Type.Union([Challenge, RequestOptions]),
  existingFactorToken: ChallengeToken,
  newFactorChallenge: Type.Union([Challenge, CreationOptions]),
  newFactorToken: ChallengeToken,
});
export type AddFactorChallengeResponse = Static<typeof AddFactorChallengeResponse>;

export const AddFactorRequest = object({
  existingFactorAuthorization: Authorization,
  existingFactorChallengeToken: ChallengeToken,
  existingFactorTurnkeyActivity: optional(
    boundedText(16 * KIB, {
      description: "The exact JSON text of the Turnkey activity that the passkey stamped.",
    }),
  ),
  newFactorAuthorization: Authorization,
  newFactorChallengeToken: ChallengeToken,
  encryptedBackupKey: optional(EncryptionKey),
  turnkeyProviderId: optional(TurnkeyProviderId),
});
export type AddFactorRequest = Static<typeof AddFactorRequest>;

export const AddFactorResponse = Type.Object({
  factorId: Type.String({ description: "The `id` of the new factor." }),
  backupMetadata: Metadata,
});
