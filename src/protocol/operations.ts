/** Every operation of the service: path, request, response, authorisation and rate limit. */
import { type Static, Type } from "@sinclair/typebox";
import {
  AddFactorChallengeRequest,
  AddFactorChallengeResponse,
  AddFactorRequest,
  AddFactorResponse,
} from "./add-factor.ts";
import { Authorization, OidcProvider, PublicKey } from "./authorization.ts";
import { BackupAccountId, BackupIdResponse, ManifestHash } from "./backup.ts";
import { ChallengeToken } from "./challenge.ts";
import { createChallenges, keypairChallenges, passkeyChallenges } from "./challenge-operations.ts";
import { EncryptionKey, StoredEncryptionKey, TurnkeyProviderId } from "./encryption-key.ts";
import { FactorId, Scope } from "./factor.ts";
import { FactorSummary, Metadata } from "./metadata.ts";
import { object, optional } from "./object.ts";
import type { CountedKind, WireOperation } from "./operation.ts";
import { text } from "./text.ts";

/** The members with which a factor authorises a request. */
const proof = { authorization: Authorization, challengeToken: ChallengeToken };

export const operations = {
  create: {
    method: "POST",
    path: "/v1/create",
    isUpload: true,
    request: object({
      ...proof,
      initialEncryptionKey: EncryptionKey,
      initialSyncFactor: Authorization,
      initialSyncChallengeToken: ChallengeToken,
      turnkeyProviderId: optional(TurnkeyProviderId),
      manifestHash: ManifestHash,
      backupAccountId: BackupAccountId,
      backupAccountChallengeToken: optional(ChallengeToken),
      backupAccountSignature: optional(
        text({
          description:
            "Base64 of the DER signature of `backupAccountChallenge` by the account's secp256k1 key, low s.",
        }),
      ),
    }),
    response: Type.Object({ backupId: BackupAccountId, backupMetadata: Metadata }),
    authorisedBy: null,
    countsAgainst: "create",
  },
  sync: {
    method: "POST",
    path: "/v1/sync",
    isUpload: true,
    request: object({ ...proof, currentManifestHash: ManifestHash, newManifestHash: ManifestHash }),
    response: BackupIdResponse,
    authorisedBy: "SYNC",
  },
  retrieve: {
    method: "POST",
    path: "/v1/retrieve/from-challenge",
    request: object(proof),
    response: Type.Object({
      backup: Type.String({ description: "The ciphertext in base64." }),
      metadata: Metadata,
      syncFactorToken: Type.String({
        description: "Lets one new device add its sync factor to the backup, within 15 minutes.",
      }),
    }),
    authorisedBy: "MAIN",
    attested: true,
  },
  verifyFactor: {
    method: "POST",
    path: "/v1/verify-factor",
    request: object(proof),
    response: BackupIdResponse,
    authorisedBy: "MAIN",
    attested: true,
  },
  addFactorChallenge: {
    method: "POST",
    path: "/v1/add-factor/challenge",
    request: AddFactorChallengeRequest,
    response: AddFactorChallengeResponse,
    authorisedBy: null,
    countsAgainst: "challenge",
  },
  addFactor: {
    method: "POST",
    path: "/v1/add-factor",
    request: AddFactorRequest,
    response: AddFactorResponse,
    authorisedBy: "MAIN",
  },
  addSyncFactor: {
    method: "POST",
    path: "/v1/add-sync-factor",
    request: object({
      challengeToken: ChallengeToken,
      syncFactor: Authorization,
      syncFactorToken: text({
        description: "The token that the recovery of the backup returned.",
      }),
    }),
    response: BackupIdResponse,
    authorisedBy: null,
  },
  retrieveMetadata: {
    method: "POST",
    path: "/v1/retrieve-metadata",
    request: object({
      ...proof,
      backupId: optional(
        text({ description: "The backup that the client expects the factor to belong to." }),
      ),
    }),
    response: Metadata,
    authorisedBy: "SYNC",
  },
  deleteFactor: {
    method: "POST",
    path: "/v1/delete-factor",
    request: object({
      ...proof,
      factorId: FactorId,
      scope: Type.Union(Scope.anyOf, {
        description: "Whether the factor to remove is a main or a sync factor.",
      }),
      encryptionKey: optional(StoredEncryptionKey),
    }),
    response: Type.Object({
      backupDeleted: Type.Boolean({
        description: "Whether the last main factor was removed, and the backup with it.",
      }),
      backupMetadata: Type.Union([Metadata, Type.Null()]),
    }),
    authorisedBy: "SYNC",
    attested: true,
    countsAgainst: "destruction",
  },
  deleteBackup: {
    method: "POST",
    path: "/v1/delete-backup",
    request: object(proof),
    response: null,
    authorisedBy: "SYNC",
    countsAgainst: "destruction",
  },
  reset: {
    method: "POST",
    path: "/v1/reset",
    request: object({
      backupAccountId: BackupAccountId,
      signature: text({
        description:
          "Base64 of the DER ECDSA-SHA256 signature over the raw challenge bytes by the account's secp256k1 key, low s.",
      }),
      challengeToken: ChallengeToken,
    }),
    response: null,
    authorisedBy: "ACCOUNT_KEY",
    countsAgainst: "destruction",
  },
  backupStatus: {
    method: "POST",
    path: "/v1/backup/status",
    request: object({
      backupId: text({ description: "The id of a backup." }),
    }),
    response: Type.Object({
      backupId: BackupAccountId,
      factors: Type.Array(FactorSummary, { description: "The main factors, oldest first." }),
    }),
    authorisedBy: null,
    countsAgainst: "status",
  },
  health: {
    method: "GET",
    path: "/health",
    request: null,
    response: Type.Object({
      status: Type.Literal("ok"),
      semver: Type.String(),
      rev: Type.Union([Type.String(), Type.Null()], {
        description: "The revision it was built from, if known.",
      }),
    }),
    authorisedBy: null,
  },
  ready: {
    method: "GET",
    path: "/ready",
    request: null,
    response: Type.Object({ status: Type.Literal("ok") }),
    authorisedBy: null,
  },
  /** Development only: an id_token for an invented account. */
  idToken: {
    method: "POST",
    path: "/dev/id-token",
    request: object({
      provider: OidcProvider,
      publicKey: PublicKey,
      email: Type.String({
        minLength: 1,
        maxLength: 200,
        description: "The address of the account. The same address always gives the same account.",
      }),
    }),
    response: Type.Object({ token: Type.String({ description: "The id_token." }) }),
    authorisedBy: null,
  },
} as const satisfies Readonly<Record<string, WireOperation>>;

/** The request body of an operation. */
export type RequestOf<Name extends keyof typeof operations> = Static<
  NonNullable<(typeof operations)[Name]["request"]>
>;

/** The body of an operation's 200 response. */
export type ResponseOf<Name extends keyof typeof operations> = Static<
  NonNullable<(typeof operations)[Name]["response"]>
>;

/** Every operation, including those that issue challenges. */
export const allOperations: readonly WireOperation[] = [
  ...Object.values(operations),
  ...Object.values(createChallenges),
  ...Object.values(keypairChallenges),
  ...Object.values(passkeyChallenges),
];

const byPath: ReadonlyMap<string, WireOperation> = new Map(
  allOperations.map((operation) => [operation.path, operation]),
);

/** The limit that a request to `path` counts against; `null` if there is none, or no such operation. */
export function countedAs(path: string): CountedKind | null {
  return byPath.get(path)?.countsAgainst ?? null;
}
