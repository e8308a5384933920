/** The client of an app: a method for each operation, with challenge, proof and token in one call. */
import { createContext } from "./context.ts";
import type { AccountKey } from "./factors/account-key.ts";
import type { KeypairFactor } from "./factors/keypair.ts";
import type { MainFactor } from "./factors/main-factor.ts";
import { addFactor, type FactorAdded, type FactorAddition } from "./operations/add-factor.ts";
import { addSyncFactor, type SyncFactorAddition } from "./operations/add-sync-factor.ts";
import { type BackupStatus, backupStatus } from "./operations/backup-status.ts";
import { type Created, type Creation, create } from "./operations/create.ts";
import { deleteBackup } from "./operations/delete-backup.ts";
import { deleteFactor, type FactorRemoval, type FactorRemoved } from "./operations/delete-factor.ts";
import { type EventsOptions, listEvents } from "./operations/list-events.ts";
import { reset } from "./operations/reset.ts";
import { type Restoration, type Restored, restoreVersion } from "./operations/restore-version.ts";
import { type Recovered, type RecoverOptions, retrieve } from "./operations/retrieve.ts";
import { type MetadataOptions, retrieveMetadata } from "./operations/retrieve-metadata.ts";
import { sync, type Update, type Updated } from "./operations/sync.ts";
import { type Undeleted, undelete } from "./operations/undelete.ts";
import { verifyFactor } from "./operations/verify-factor.ts";
import type { BackupClientOptions } from "./options.ts";
import type { CallOptions } from "./transport/connection.ts";
import type { Event, Metadata } from "./wire.ts";

/**
 * Methods reject with a `BackupClientError`: the class says what to do. They may be called again after any failure but
 * `OutcomeUnknownError`, which asks to read the metadata first.
 */
export interface BackupClient {
  /** Stores a content with one main factor and the sync factor of this device. */
  create(creation: Creation, options?: CallOptions): Promise<Created>;
  /** Fetches the content of a backup, or of a version, by one of its main factors. */
  recover(main: MainFactor, options?: RecoverOptions): Promise<Recovered>;
  /** The id of the backup that a main factor can recover. */
  verify(main: MainFactor, options?: CallOptions): Promise<{ readonly backupId: string }>;
  /** Replaces the content, unless another device was faster: `ManifestHashMismatchError`. */
  sync(sync: KeypairFactor, update: Update, options?: CallOptions): Promise<Updated>;
  /** Makes a version current again. */
  restoreVersion(sync: KeypairFactor, restoration: Restoration, options?: CallOptions): Promise<Restored>;
  /** Adds a main factor. */
  addFactor(addition: FactorAddition, options?: CallOptions): Promise<FactorAdded>;
  /** Adds the sync factor of a device that has recovered the backup, in place of another one if that is wanted. */
  addSyncFactor(
    sync: KeypairFactor,
    addition: SyncFactorAddition,
    options?: CallOptions,
  ): Promise<{ readonly backupId: string }>;
  /** Removes a factor. With the last main factor the backup is deleted. */
  removeFactor(sync: KeypairFactor, removal: FactorRemoval, options?: CallOptions): Promise<FactorRemoved>;
  /** Deletes the backup. For some days a main factor can bring it back. */
  deleteBackup(sync: KeypairFactor, options?: CallOptions): Promise<void>;
  /** Brings back a deleted backup. */
  undelete(main: MainFactor, backupId: string, options?: CallOptions): Promise<Undeleted>;
  /** Deletes a backup for good, with all that is kept of it. */
  reset(account: AccountKey, options?: CallOptions): Promise<void>;
  metadata(sync: KeypairFactor, options?: MetadataOptions): Promise<Metadata>;
  /** The security log, newest first: `for await (const event of client.events(sync))`. */
  events(sync: KeypairFactor, options?: EventsOptions): AsyncIterable<Event>;
  /** With which kinds of main factor a backup can be recovered. Public. */
  status(backupId: string, options?: CallOptions): Promise<BackupStatus>;
}

export function createBackupClient(options: BackupClientOptions): BackupClient {
  const context = createContext(options);
  return {
    create: (creation, options) => create(context, creation, options),
    recover: (main, options) => retrieve(context, main, options),
    verify: (main, options) => verifyFactor(context, main, options),
    sync: (factor, update, options) => sync(context, factor, update, options),
    restoreVersion: (factor, restoration, options) => restoreVersion(context, factor, restoration, options),
    addFactor: (addition, options) => addFactor(context, addition, options),
    addSyncFactor: (factor, addition, options) => addSyncFactor(context, factor, addition, options),
    removeFactor: (factor, removal, options) => deleteFactor(context, factor, removal, options),
    deleteBackup: (factor, options) => deleteBackup(context, factor, options),
    undelete: (main, backupId, options) => undelete(context, main, backupId, options),
    reset: (account, options) => reset(context, account, options),
    metadata: (factor, options) => retrieveMetadata(context, factor, options),
    events: (factor, options) => listEvents(context, factor, options),
    status: (backupId, options) => backupStatus(context, backupId, options),
  };
}
