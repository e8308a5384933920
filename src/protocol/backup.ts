/** The identifiers of a backup and of its content. */
import { Type } from "@sinclair/typebox";
import { BACKUP_ACCOUNT_ID_PREFIX } from "./account-id.ts";
import { text } from "./text.ts";

const BACKUP_ACCOUNT_ID_PATTERN = `^${BACKUP_ACCOUNT_ID_PREFIX}[0-9a-fA-F]{66}$`;

export const BackupAccountId = Type.String({
  pattern: BACKUP_ACCOUNT_ID_PATTERN,
  description: "`backup_account_` and the 66 hex digits of a compressed secp256k1 public key (SEC 1).",
});

/** Without anchors. */
export const UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}";
/** The forms that ids of backups have had. New backups have the first one with 66 digits. */
const BACKUP_ID_PATTERN = `^(?:${BACKUP_ACCOUNT_ID_PREFIX}(?:[0-9a-fA-F]{66}|[0-9a-fA-F]{64})|${UUID})$`;

const BACKUP_ID = new RegExp(BACKUP_ID_PATTERN);

/** Whether a text has a form that ids of backups have had. Another text names no backup, and may be too long for a store. */
export function isBackupId(text: string): boolean {
  return BACKUP_ID.test(text);
}

export const BackupId = Type.String({
  pattern: BACKUP_ID_PATTERN,
  description: "The account id; of backups that were taken over from another service it may be a UUID.",
});

/** Any text: one of another form names nothing that is kept. */
export const DeletedBackupId = text({ description: "The id that the deleted backup had." });

/** The response of operations that return only the id of the backup. */
export const BackupIdResponse = Type.Object({ backupId: BackupId });

/** 32 bytes as the service writes them. */
export const LOWER_CASE_HEX = "^[0-9a-f]{64}$";
const HEX_OF_32_BYTES = "^(?:0x)?[0-9a-fA-F]{64}$";

export const ManifestHash = Type.String({
  pattern: HEX_OF_32_BYTES,
  description: "32 bytes as hex, with or without `0x`, that identify a version of the content.",
});

export const EncryptionPublicKey = Type.String({
  pattern: HEX_OF_32_BYTES,
  description:
    "32 bytes as hex, with or without `0x`: the public key that the content is encrypted for. A backup keeps the first one.",
});
