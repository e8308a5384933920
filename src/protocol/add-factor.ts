/** Adding a main factor: what the client announces and proves, and what it is asked. */
import { type Static, Type } from "@sinclair/typebox";
import { Authorization, IdToken, PublicKey } from "./authorization.ts";
import { Challenge, ChallengeToken } from "./challenge.ts";
import { EncryptionKey, TurnkeyProviderId } from "./encryption-key.ts";
import { examples } from "./examples.ts";
import { Metadata } from "./metadata.ts";
import { object, optional } from "./object.ts";
import { boundedText, KIB } from "./text.ts";
import { CreationOptions, PasskeyName, Platform, RequestOptions } from "./webauthn.ts";

const NewFactor = Type.Union(
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
  {
    description: "The factor to add.",
    example: { kind: "EC_KEYPAIR", publicKey: examples.publicKey },
  },
);
/** The factor to add, as the client announces it. */
export type NewFactor = Static<typeof NewFactor>;

const ExistingFactorKind = Type.Union(
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
);
/** How the existing factor will prove itself. `PASSKEY` is a Turnkey stamp, `PASSKEY_ASSERTION` an ordinary assertion. */
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
  factorId: Type.String({ description: "The `id` of the new factor.", example: examples.factorId }),
  backupMetadata: Metadata,
});
