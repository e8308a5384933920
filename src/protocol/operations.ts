/** Every operation of the service: path, documentation, request, response, authorisation and rate limit. */
import { type Static, Type } from "@sinclair/typebox";
import {
  AddFactorChallengeRequest,
  AddFactorChallengeResponse,
  AddFactorRequest,
  AddFactorResponse,
} from "./add-factor.ts";
import { Authorization, SyncAuthorization } from "./authorization.ts";
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
import { EncryptionKey, StoredEncryptionKey, TurnkeyProviderId } from "./encryption-key.ts";
import { Event, EventId } from "./event.ts";
import { FactorId, Scope } from "./factor.ts";
import { FactorSummary, Metadata } from "./metadata.ts";
import { object, optional } from "./object.ts";
import type { CountedKind, WireOperation } from "./operation.ts";
import { paths } from "./paths.ts";
import { serviceOperations } from "./service-operations.ts";
import { text } from "./text.ts";
import { VersionId } from "./version.ts";

/** The members with which a factor authorises a request. */
const proof = { authorization: Authorization, challengeToken: ChallengeToken };
const syncProof = { authorization: SyncAuthorization, challengeToken: ChallengeToken };

/** How an existing factor may bind its proof to all that is added. */
const MATERIAL_BINDING =
  "In place of its 32 challenge bytes, the existing factor may authorise 64: the challenge and " +
  "SHA-256(`backup-service:add-factor-binding:v1` ‖ factor ‖ provider ‖ key). With lp(x) for the length of x in four " +
  "bytes, big-endian, and x: factor is 01 lp(credential id) lp(uncompressed point) lp(label) lp(clientDataJSON) " +
  "lp(attestationObject) of an ES256 passkey, 02 lp(id_token) or 03 lp(uncompressed point); provider is 00, or 01 " +
  "lp(turnkeyProviderId); key is 00, or 01 and 01 lp(encryptedKey) for PRF, 02 lp(encryptedKey) for ICLOUD, 03 " +
  "lp(encryptedKey) lp(turnkeyAccountId) lp(turnkeyUserId) lp(turnkeyPrivateKeyId) for TURNKEY. A key signs the 64 " +
  "bytes; an assertion has them as its challenge; a Turnkey activity has them in base64 as `metadata.challenge`.";

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
      ...proof,
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
      ...syncProof,
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
    request: object({ ...proof, versionId: optional(VersionId) }),
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
    request: object({ ...syncProof, versionId: VersionId, currentManifestHash: ManifestHash }),
    response: Type.Object({ backupId: BackupId, backupMetadata: Metadata }),
    authorisedBy: "SYNC",
  },
  verifyFactor: {
    method: "POST",
    path: paths.verifyFactor,
    tag: "Factors",
    summary: "Verify a main factor",
    description: "Returns the id of the backup that a main factor can recover, without fetching the backup.",
    request: object(proof),
    response: BackupIdResponse,
    authorisedBy: "MAIN",
    attested: true,
  },
  addFactorChallenge: {
    method: "POST",
    path: paths.addFactorChallenge,
    tag: "Challenges",
    summary: "The two challenges to add a main factor",
    description:
      "One for an existing main factor, one for the new one. The existing factor's token commits to the new " +
      "factor, and the two tokens work only with each other. A passkey's challenge is an options object, " +
      "other challenges are base64.",
    request: AddFactorChallengeRequest,
    response: AddFactorChallengeResponse,
    authorisedBy: null,
    countsAgainst: "challenge",
  },
  addFactor: {
    method: "POST",
    path: paths.addFactor,
    tag: "Factors",
    summary: "Add a main factor",
    description:
      "Adds a main factor to a backup, with the encryption key that it needs. An existing main factor " +
      "agrees to this very factor, and the new one proves itself; both tokens are consumed together. For a " +
      "factor that is on the backup, the response is the same, and the key is added if its kind is missing. " +
      MATERIAL_BINDING,
    request: AddFactorRequest,
    response: AddFactorResponse,
    authorisedBy: "MAIN",
  },
  addSyncFactor: {
    method: "POST",
    path: paths.addSyncFactor,
    tag: "Factors",
    summary: "Add a sync factor",
    description:
      "Adds the keypair of another device to a backup that was just recovered. The sync factor token is " +
      "consumed only when the factor was added. With `syncFactorToReplace` it replaces another one, " +
      "also at the limit; `conflicting_lock` if another device was faster.",
    request: object({
      challengeToken: ChallengeToken,
      syncFactor: SyncAuthorization,
      syncFactorToken: text({
        description: "The token that the recovery of the backup returned.",
      }),
      syncFactorToReplace: optional(
        text({
          description:
            "The `id` of a sync factor of the backup that the new one replaces. An id that is not there is ignored.",
        }),
      ),
      encryptionPublicKey: optional(EncryptionPublicKey),
    }),
    response: BackupIdResponse,
    authorisedBy: null,
  },
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
      ...syncProof,
      backupId: optional(
        text({ description: "The backup that the client expects the factor to belong to." }),
      ),
    }),
    response: Metadata,
    authorisedBy: "SYNC",
  },
  deleteFactor: {
    method: "POST",
    path: paths.deleteFactor,
    tag: "Factors",
    summary: "Remove a factor",
    description:
      "Removes a main factor (with the encryption key that only it needed, if that is sent along) or a sync " +
      "factor. Removing the last main factor deletes the whole backup, unless another device removed the " +
      "previous one at the same time: then the response is `conflicting_lock`. Needs a sync factor.",
    request: object({
      ...syncProof,
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
    request: object({ ...proof, backupId: DeletedBackupId }),
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
      ...syncProof,
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
    request: object(syncProof),
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
