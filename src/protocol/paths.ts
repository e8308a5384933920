/** The path of each operation. In a module without imports, so that a client has the paths without the schemas. */

export const paths = {
  create: "/v1/create",
  sync: "/v1/sync",
  retrieve: "/v1/retrieve/from-challenge",
  restoreVersion: "/v1/restore-version",
  verifyFactor: "/v1/verify-factor",
  addFactorChallenge: "/v1/add-factor/challenge",
  addFactor: "/v1/add-factor",
  addSyncFactor: "/v1/add-sync-factor",
  retrieveMetadata: "/v1/retrieve-metadata",
  deleteFactor: "/v1/delete-factor",
  undelete: "/v1/undelete",
  listEvents: "/v1/events",
  deleteBackup: "/v1/delete-backup",
  reset: "/v1/reset",
  backupStatus: "/v1/backup/status",
  health: "/health",
  ready: "/ready",
  idToken: "/dev/id-token",
} as const;

/** The path of the challenge that a keypair or a passkey solves for an operation. */
export function challengePath<const Name extends string, const Type extends "keypair" | "passkey">(
  name: Name,
  type: Type,
): `/v1/${Name}/challenge/${Type}` {
  return `/v1/${name}/challenge/${type}`;
}
