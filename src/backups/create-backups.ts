/** Puts the operations together: what they share, and the reporting of replays around each. */
import type { Background } from "../runtime/background.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { BlobStore, RecordStore } from "../storage/contract.ts";
import { addFactor } from "./add-factor.ts";
import { addSyncFactor } from "./add-sync-factor.ts";
import { type Access, createAccess, type Proven } from "./authorise.ts";
import { backupStatus } from "./backup-status.ts";
import type { Backups } from "./backups.ts";
import { type Changes, createChanges } from "./change.ts";
import { create } from "./create.ts";
import { deleteBackup } from "./delete-backup.ts";
import { deleteFactor } from "./delete-factor.ts";
import { createEventFactory, type EventFactory } from "./events.ts";
import { findDeletedPasskey } from "./find-deleted-passkey.ts";
import { findPasskey } from "./find-passkey.ts";
import type { VersionPolicy } from "./history.ts";
import { listEvents } from "./list-events.ts";
import type { CounterAlerts } from "./passkey-counter.ts";
import { createReplayReporting } from "./replay.ts";
import { reset } from "./reset.ts";
import { restoreVersion } from "./restore-version.ts";
import { retrieve } from "./retrieve.ts";
import { retrieveMetadata } from "./retrieve-metadata.ts";
import type { FactorLimits } from "./rules.ts";
import { sync } from "./sync.ts";
import { undelete } from "./undelete.ts";
import { verifyFactor } from "./verify-factor.ts";

/** Limits the destructive operations on one backup. */
export interface DestructionLimit {
  /** @throws ServiceError `too_many_requests`. */
  admitDestruction(backupId: string): void;
  countDestruction(backupId: string): void;
}

/**
 * Limits how often versions of one backup are restored. Each restore leaves an event and a log has so many: a thief with a
 * sync factor must not push out within a minute what the owner has to see. The limit is not that of destructive operations,
 * so that the owner can remove that factor.
 */
export interface RestoreLimit {
  /** @throws ServiceError `too_many_requests`. */
  admitRestore(backupId: string): void;
  countRestore(backupId: string): void;
}

export interface BackupsOptions {
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly background: Background;
  readonly limits: FactorLimits;
  readonly destructions: DestructionLimit;
  readonly restores: RestoreLimit;
  readonly alerts: CounterAlerts;
  readonly history: HistoryPolicy;
  /** Whether events are delivered, besides being in the log. */
  readonly deliversEvents: boolean;
}

/** What is kept of the past of a backup. */
export interface HistoryPolicy {
  readonly versions: VersionPolicy;
  /** How long a deleted backup can be brought back; 0 deletes it at once. */
  readonly deletedKeepMs: number;
  /** How long the security log has an event. */
  readonly eventsKeepMs: number;
}

/** What the operations share. */
export interface BackupsContext extends BackupsOptions {
  readonly access: Access;
  readonly eventFactory: EventFactory;
  readonly changes: Changes;
}

/** All operations, with the replays of each reported. */
export function createBackups(options: BackupsOptions): Backups {
  const access = createAccess(options.records);
  const { clock, random, history, deliversEvents } = options;
  const eventFactory = createEventFactory({
    clock,
    random,
    keepMs: history.eventsKeepMs,
    isDelivered: deliversEvents,
  });
  const changes = createChanges({ ...options, access, eventFactory });
  const context = { ...options, access, eventFactory, changes };
  const replays = createReplayReporting(options.records);
  const noncesOf = ({ nonces }: Pick<Proven, "nonces">) => nonces;
  return {
    reportingReplays: replays.run,
    backupStatus: backupStatus(context),
    create: replays.of(create(context), ({ nonces, mainFactor, syncFactor }) => [
      ...nonces,
      ...mainFactor.nonces,
      ...syncFactor.nonces,
    ]),
    retrieve: replays.of(retrieve(context), (by) => by.nonces),
    sync: replays.of(sync(context), noncesOf),
    restoreVersion: replays.of(restoreVersion(context), noncesOf),
    deleteBackup: replays.of(deleteBackup(context), noncesOf),
    reset: replays.of(reset(context), (_backupId, nonces) => nonces),
    verifyFactor: replays.of(verifyFactor(context), noncesOf),
    retrieveMetadata: replays.of(retrieveMetadata(context), noncesOf),
    undelete: replays.of(undelete(context), (by) => by.nonces),
    listEvents: replays.of(listEvents(context), noncesOf),
    findDeletedPasskey: replays.of(findDeletedPasskey(context), (_backupId, _credentialId, nonces) => nonces),
    findPasskey: replays.of(findPasskey(context), (_credentialId, nonces) => nonces),
    addFactor: replays.of(addFactor(context), (by, added) => [...by.nonces, ...added.nonces]),
    addSyncFactor: replays.of(addSyncFactor(context), noncesOf),
    deleteFactor: replays.of(deleteFactor(context), noncesOf),
  };
}
