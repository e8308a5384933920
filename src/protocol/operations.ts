/** Every operation of the service: path, documentation, request, response, authorisation and rate limit. */
import { type Static, Type } from "@sinclair/typebox";
import { SyncAuthorization } from "./authorization.ts";
import {
  BackupAccountId,
  BackupId,
  BackupIdResponse,
  DeletedBackupId,
  EncryptionPublicKey,
  ManifestHash,
} from "./backup.ts";
import { ChallengeToken } from "./challenge.ts";
import { createChallenges, keypairChallenges, passkeyChallenges } from "./challenge-operations.ts";
import { EncryptionKey, TurnkeyProviderId } from "./encryption-key.ts";
import { Event, EventId } from "./event.ts";
import { factorOperations } from "./factor-operations.ts";
import { factorProof, syncFactorProof } from "./factor-proof.ts";
import { FactorSummary, Metadata } from "./metadata.ts";
import { object, optional } from "./object.ts";
import type { CountedKind, WireOperation } from "./operation.ts";
import { paths } from "./paths.ts";
import { serviceOperations } from "./service-operations.ts";
import { text } from "./text.ts";
import { VersionId } from "./version.ts";

export const operations = {
  create: {
    method: "POST",
    path: paths.create,
    tag: "Backups",
    summary: "Create a backup",
    description:
      "Stores a ciphertext with one main factor and one sync factor. Both solve a challenge of this " +
      "operation. Of several requests for one account id or one factor exactly one succeeds; the others " +
      "leave nothing behind. A service whose disk is nearly full responds with `service_unavailable`.",
    isUpload: true,
    request: object({
      ...factorProof,
      initialEncryptionKey: EncryptionKey,
      initialSyncFactor: SyncAuthorization,
      initialSyncChallengeToken: ChallengeToken,
      turnkeyProviderId: optional(TurnkeyProviderId),
      manifestHash: ManifestHash,
      encryptionPublicKey: optional(EncryptionPublicKey),
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
    path: paths.sync,
    tag: "Backups",
    summary: "Update a backup",
    description:
      "Replaces the ciphertext and the manifest hash together. If `currentManifestHash` is not current, " +
      "nothing changes and the response is `manifest_hash_mismatch`. Needs a sync factor.",
    isUpload: true,
    request: object({
      ...syncFactorProof,
      currentManifestHash: ManifestHash,
      newManifestHash: ManifestHash,
      encryptionPublicKey: optional(EncryptionPublicKey),
    }),
    response: BackupIdResponse,
    authorisedBy: "SYNC",
  },
  retrieve: {
    method: "POST",
    path: paths.retrieve,
    tag: "Backups",
    summary: "Recover a backup",
    description:
      "Returns the ciphertext, the metadata with the encrypted keys, and a token with which the new device " +
      "adds a sync factor. With `versionId` the ciphertext is that of a version. Needs a main factor.",
    request: object({ ...factorProof, versionId: optional(VersionId) }),
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
  restoreVersion: {
    method: "POST",
    path: paths.restoreVersion,
    tag: "Backups",
    summary: "Restore a version",
    description:
      "Makes an earlier content and its manifest hash current again, in one step. What was current becomes a " +
      "version. If `currentManifestHash` is not current, nothing changes and the response is " +
      "`manifest_hash_mismatch`. Needs a sync factor.",
    request: object({ ...syncFactorProof, versionId: VersionId, currentManifestHash: ManifestHash }),
    response: Type.Object({ backupId: BackupId, backupMetadata: Metadata }),
    authorisedBy: "SYNC",
  },
  ...factorOperations,
  retrieveMetadata: {
    method: "POST",
    path: paths.retrieveMetadata,
    tag: "Backups",
    summary: "Read the metadata of a backup",
    description:
      "Returns keys, factors and manifest hash, not the content. With `backupId`, the error for a factor " +
      "that is on no backup distinguishes a removed factor (`unauthorized_factor`) from a deleted backup " +
      "(`backup_does_not_exist`). Needs a sync factor.",
    request: object({
      ...syncFactorProof,
      backupId: optional(
        text({ description: "The backup that the client expects the factor to belong to." }),
      ),
    }),
    response: Metadata,
    authorisedBy: "SYNC",
  },
  undelete: {
    method: "POST",
    path: paths.undelete,
    tag: "Backups",
    summary: "Bring back a deleted backup",
    description:
      "Brings back what a deletion, or the removal of the last main factor, took away: content, versions, keys, " +
      "factors and security log, as they were; only the sync factor that deleted it stays off. Possible for some " +
      "days (7 by default), for each main factor that the backup had, while neither the id nor one of the factors is " +
      "used again. `backup_does_not_exist` where nothing is kept of that id, or not with this factor.",
    request: object({ ...factorProof, backupId: DeletedBackupId }),
    response: Type.Object({ backupId: BackupId, backupMetadata: Metadata }),
    authorisedBy: "MAIN",
    attested: true,
  },
  listEvents: {
    method: "POST",
    path: paths.listEvents,
    tag: "Backups",
    summary: "Read the security log",
    description:
      "Each change that matters to the safety of the backup leaves an event: who recovered it, added or removed a " +
      "factor, restored or deleted it. Newest first, a page at a time; kept for a year by default, the newest 1,000. " +
      "Needs a sync factor.",
    request: object({
      ...syncFactorProof,
      before: optional(
        Type.String({
          pattern: EventId.pattern ?? "",
          description: "The `next` of the page before, or the id of any event: only older ones are returned.",
        }),
      ),
      limit: optional(
        Type.Integer({ minimum: 1, maximum: 100, description: "How many events at most. 50 by default." }),
      ),
    }),
    response: Type.Object({
      events: Type.Array(Event),
      next: Type.Union([EventId, Type.Null()], {
        description: "What to send as `before` for the next page; `null` at the end.",
      }),
    }),
    authorisedBy: "SYNC",
  },
  deleteBackup: {
    method: "POST",
    path: paths.deleteBackup,
    tag: "Backups",
    summary: "Delete a backup",
    description:
      "Deletes content, metadata and every factor; a main factor can bring them back for some days (`undelete`). " +
      "Needs a sync factor. The key that deleted a backup may " +
      "repeat the request with a fresh challenge: for 15 minutes the response is the same, unless the key is " +
      "on another backup.",
    request: object(syncFactorProof),
    response: null,
    authorisedBy: "SYNC",
    countsAgainst: "destruction",
  },
  reset: {
    method: "POST",
    path: paths.reset,
    tag: "Backups",
    summary: "Reset a backup",
    description:
      "Deletes a backup for good, with all that is kept of earlier deletions, by the account key that its id " +
      "contains: for users who lost every factor but not their data, or who want to be forgotten. Afterwards the " +
      "id can be created again.",
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
    path: paths.backupStatus,
    tag: "Backups",
    summary: "Whether a backup exists",
    description: "Returns the kinds of main factors that can recover a backup. Public.",
    request: object({
      backupId: text({ description: "The id of a backup." }),
    }),
    response: Type.Object({
      backupId: BackupId,
      factors: Type.Array(FactorSummary, { description: "The main factors, oldest first." }),
    }),
    authorisedBy: null,
    countsAgainst: "status",
  },
  ...serviceOperations,
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
