import { createHash } from "node:crypto";

const HASH_DIGITS = 16;

/** How the log names a backup: by a prefix of its id's SHA-256, so that the id itself is not logged. */
export function loggedBackup(backupId: string): string {
  return createHash("sha256").update(backupId).digest("hex").slice(0, HASH_DIGITS);
}
