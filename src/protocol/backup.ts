/** The identifiers of a backup and of its content. */
import { Type } from "@sinclair/typebox";

/** The id of a backup is this prefix and the 66 hex digits of a SEC 1 compressed point. */
export const BACKUP_ACCOUNT_ID_PREFIX = "backup_account_";
const BACKUP_ACCOUNT_ID_PATTERN = `^${BACKUP_ACCOUNT_ID_PREFIX}[0-9a-fA-F]{66}$`;

export const BackupAccountId = Type.String({
  pattern: BACKUP_ACCOUNT_ID_PATTERN,
  description: "`backup_account_` and the 66 hex digits of a compressed secp256k1 public key (SEC 1).",
});

const UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}";
/** The forms that ids of backups have had. New backups have the first one with 66 digits. */
export const BACKUP_ID_PATTERN = `^(?:${BACKUP_ACCOUNT_ID_PREFIX}(?:[0-9a-fA-F]{66}|[0-9a-fA-F]{64})|${UUID})$`;

export const BackupId = Type.String({
  pattern: BACKUP_ID_PATTERN,
  description: "The account id; of backups that were taken over from another service it may be a UUID.",
});

/** The response of operations that return only the id of the backup. */
export const BackupIdResponse = Type.Object({ backupId: BackupId });

export const ManifestHash = Type.String({
  pattern: "^(?:0x)?[0-9a-fA-F]{64}$",
  description: "32 bytes as hex, with or without `0x`, that identify a version of the content.",
});

/** The canonical form of a manifest hash, in which it is stored and compared. */
export function normalizedManifestHash(hash: string): string {
  return hash.replace(/^0x/, "").toLowerCase();
}
