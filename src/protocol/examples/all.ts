/** The example of every operation: the API reference shows them, and the tests play them. */
import * as addFactor from "./add-factor.ts";
import * as addSyncFactor from "./add-sync-factor.ts";
import * as backupStatus from "./backup-status.ts";
import * as create from "./create.ts";
import * as deleteBackup from "./delete-backup.ts";
import * as deleteFactor from "./delete-factor.ts";
import type { Example } from "./example.ts";
import * as health from "./health.ts";
import * as idToken from "./id-token.ts";
import * as listEvents from "./list-events.ts";
import * as reset from "./reset.ts";
import * as restoreVersion from "./restore-version.ts";
import * as retrieve from "./retrieve.ts";
import * as retrieveMetadata from "./retrieve-metadata.ts";
import * as sync from "./sync.ts";
import * as undelete from "./undelete.ts";
import * as verifyFactor from "./verify-factor.ts";

const FILES: readonly Readonly<Record<string, Example>>[] = [
  create,
  retrieve,
  verifyFactor,
  addFactor,
  addSyncFactor,
  sync,
  restoreVersion,
  undelete,
  listEvents,
  retrieveMetadata,
  deleteFactor,
  deleteBackup,
  reset,
  backupStatus,
  health,
  idToken,
];

export const allExamples: readonly Example[] = FILES.flatMap((file) => Object.values(file));
