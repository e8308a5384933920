/** What the service returns about a backup and its factors. */
import { type Static, Type } from "@sinclair/typebox";
import { OidcProvider } from "./authorization.ts";
import { BackupId, LOWER_CASE_HEX } from "./backup.ts";
import { EncryptionKey } from "./encryption-key.ts";
import { FactorKind } from "./factor.ts";
import { Version } from "./version.ts";

export const ExportedFactorKind = Type.Union([
  Type.Object({
    kind: Type.Literal("PASSKEY"),
    credentialId: Type.String({ description: "base64url." }),
    registration: Type.Unknown({ description: "The registration credential as it was sent." }),
    label: Type.String(),
  }),
  Type.Object({
    kind: Type.Literal("OIDC_ACCOUNT"),
    account: Type.Object({
      kind: OidcProvider,
      maskedEmail: Type.String({ description: "Such as `ab***@example.com`." }),
    }),
    turnkeyProviderId: Type.String(),
  }),
  Type.Object({ kind: Type.Literal("EC_KEYPAIR"), publicKey: Type.String() }),
]);

export const ExportedFactor = Type.Object({
  id: Type.String({ description: "UUID." }),
  createdAt: Type.Integer({ description: "Seconds since the epoch." }),
  kind: ExportedFactorKind,
});
export type ExportedFactor = Static<typeof ExportedFactor>;

export const ExportedSyncFactor = Type.Object({
  ...ExportedFactor.properties,
  lastUsedAt: Type.Optional(
    Type.Integer({
      description: "Seconds since the epoch, a day late at most. Left out while it was not used.",
    }),
  ),
});
export type ExportedSyncFactor = Static<typeof ExportedSyncFactor>;

export const Metadata = Type.Object(
  {
    id: BackupId,
    keys: Type.Array(EncryptionKey),
    factors: Type.Array(ExportedFactor, { description: "The main factors, oldest first." }),
    syncFactors: Type.Array(ExportedSyncFactor, { description: "The sync factors, oldest first." }),
    manifestHash: Type.String({ pattern: LOWER_CASE_HEX, description: "32 bytes as lower-case hex." }),
    versions: Type.Array(Version, {
      description: "Earlier contents that can be retrieved and restored, newest first.",
    }),
    encryptionPublicKey: Type.Optional(
      Type.String({
        pattern: LOWER_CASE_HEX,
        description:
          "The public key that the content is encrypted for, 32 bytes as lower-case hex. Left out while no client sent one.",
      }),
    ),
  },
  { description: "What the owner of a backup sees of it." },
);
/** Has no subject, issuer, full e-mail address or stored credential. */
export type Metadata = Static<typeof Metadata>;

/** What any client may learn about a main factor: enough to show a user how to recover. */
export const FactorSummary = Type.Object({
  kind: FactorKind,
  accountKind: Type.Union([...OidcProvider.anyOf, Type.Null()]),
});
export type FactorSummary = Static<typeof FactorSummary>;
