/** The id of a backup is this prefix and the 66 hex digits of a SEC 1 compressed point. */
export const BACKUP_ACCOUNT_ID_PREFIX = "backup_account_";
