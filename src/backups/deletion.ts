/** Deletions. The last state of a backup is set aside for a while, unless that is turned off. */
import type { Clock, Random } from "../runtime/clock.ts";
import { blobsOf, type Change, type DeletedBackup, type Leftovers } from "../storage/contract.ts";
import type { StoredBackup } from "./authorise.ts";
import type { HistoryPolicy } from "./create-backups.ts";
import { allFactorRefs, storedMetadata } from "./model.ts";

/** By then every request that began before a deletion has ended. Until then one may add the event of a recovery to a log. */
const REQUESTS_END_WITHIN_MS = 15 * 60 * 1000;

/** The part of a change that deletes a backup and everything that leads to it. */
export interface Deletion extends Pick<Change, "release" | "setAside" | "collect"> {
  readonly next: null;
}

/**
 * Deletes a backup so that it can be brought back.
 *
 * @param deletedBy the id of the sync factor that does. It does not come back with the rest.
 */
export function keptDeletion(
  {
    clock,
    random,
    history,
  }: {
    readonly clock: Pick<Clock, "nowMs">;
    readonly random: Random;
    readonly history: Pick<HistoryPolicy, "deletedKeepMs">;
  },
  backup: StoredBackup,
  deletedBy: string | null,
): Deletion {
  const deletedAtMs = clock.nowMs();
  if (history.deletedKeepMs === 0) return finalDeletion([backup], deletedAtMs);
  const { blob, versions, metadata } = backup;
  const setAside = {
    deletionId: random.uuid(),
    deletedAtMs,
    keepUntilMs: deletedAtMs + history.deletedKeepMs,
    deletedBy,
    logId: metadata.logId ?? null,
    blob,
    versions,
    metadata: storedMetadata(metadata),
  };
  return { next: null, release: allFactorRefs(metadata), setAside };
}

/** Deletes for good: contents and logs of all these states, of which one is the backup. */
export function finalDeletion(
  [backup, ...others]: readonly [StoredBackup, ...DeletedBackup[]],
  nowMs: number,
): Deletion {
  return {
    next: null,
    release: allFactorRefs(backup.metadata),
    collect: leftoversOf([backup, ...others], nowMs),
  };
}

/** What has to be deleted of states that nothing refers to. */
export function leftoversOf(states: readonly (StoredBackup | DeletedBackup)[], nowMs: number): Leftovers {
  const logIds = states.map(({ metadata: { logId } }) => logId);
  return {
    blobs: states.flatMap(blobsOf),
    logIds: logIds.filter((logId) => typeof logId === "string"),
    notBeforeMs: nowMs + REQUESTS_END_WITHIN_MS,
  };
}
