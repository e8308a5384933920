/** The deleted states that are kept of a backup. */
import { BACKUP_ID_PATTERN } from "../protocol/backup.ts";
import type { Random } from "../runtime/clock.ts";
import type { Change, DeletedBackup, FactorRef, RecordStore } from "../storage/contract.ts";
import type { StoredBackup } from "./authorise.ts";
import { allFactorRefs, type BackupMetadata, lists, readMetadata, storedMetadata } from "./model.ts";

const BACKUP_ID = new RegExp(BACKUP_ID_PATTERN);

export interface DeletedState {
  readonly kept: DeletedBackup;
  /** Its `revision` names the deletion: the state never changes. */
  readonly backup: StoredBackup;
}

/** The latest deleted state of a backup that lists the factor; `null` where none is kept. */
export async function deletedStateWith(
  records: Pick<RecordStore, "readDeleted">,
  backupId: string,
  factor: FactorRef,
): Promise<DeletedState | null> {
  for await (const kept of deletedStates(records, backupId)) {
    const { deletionId: revision, deletedAtMs: changedAtMs, blob, versions } = kept;
    const metadata = readMetadata(kept.metadata);
    if (lists(metadata, factor))
      return { kept, backup: { backupId, revision, changedAtMs, blob, versions, metadata } };
  }
  return null;
}

/** All deleted states that are kept of a backup, the latest first. None of a malformed id, which no store is asked for. */
export async function* deletedStates(
  records: Pick<RecordStore, "readDeleted">,
  backupId: string,
): AsyncGenerator<DeletedBackup> {
  if (!BACKUP_ID.test(backupId)) return;
  let page = await records.readDeleted(backupId);
  for (let last = page.at(-1); last !== undefined; last = page.at(-1)) {
    yield* page;
    page = await records.readDeleted(backupId, last);
  }
}

/**
 * The change that brings a deleted state back, and the metadata afterwards. A thief with a phone deletes a backup with the
 * sync factor on it, which could delete it again. So that one stays off; the owner's phone joins again with a recovery.
 *
 * @param read the metadata of the state.
 */
export function bringingBack(
  backupId: string,
  { deletionId, deletedAtMs, deletedBy, blob, versions }: DeletedBackup,
  read: BackupMetadata,
  random: Random,
) {
  const { logId = random.uuid() } = read;
  const syncFactors = read.syncFactors.filter(({ id }) => id !== deletedBy);
  const metadata = { ...read, logId, syncFactors };
  const change = {
    backupId,
    expect: "absent",
    next: { blob, versions, metadata: storedMetadata(metadata) },
    claim: allFactorRefs(metadata),
    bringBack: { deletionId, deletedAtMs },
  } as const satisfies Change;
  return { metadata, change };
}
