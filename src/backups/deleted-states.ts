/** The last states of deleted backups, which can be brought back. */
import { isBackupId } from "../protocol/backup.ts";
import type { Random } from "../runtime/clock.ts";
import type { Change, DeletedBackup, FactorRef, RecordStore } from "../storage/contract.ts";
import type { StoredBackup } from "./authorise.ts";
import { allFactorRefs, type BackupMetadata, lists, readMetadata, storedMetadata } from "./model.ts";

export interface DeletedState {
  readonly kept: DeletedBackup;
  /** Its `revision` names the deletion: the state never changes. */
  readonly backup: StoredBackup;
}

/** The deleted states of a backup that list the factor, the latest first. None of a malformed id. */
export async function* deletedStatesWith(
  records: Pick<RecordStore, "readDeleted">,
  backupId: string,
  factor: FactorRef,
): AsyncGenerator<DeletedState> {
  if (!isBackupId(backupId)) return;
  for await (const kept of deletedStates(records, backupId)) {
    const { deletionId: revision, deletedAtMs: changedAtMs, blob, versions } = kept;
    const metadata = readMetadata(kept.metadata);
    if (lists(metadata, factor))
      yield { kept, backup: { backupId, revision, changedAtMs, blob, versions, metadata } };
  }
}

/** Every deleted state of a backup that can be brought back, the latest first. Memory holds a page of them. */
export async function* deletedStates(
  records: Pick<RecordStore, "readDeleted">,
  backupId: string,
): AsyncGenerator<DeletedBackup> {
  for (let page = await records.readDeleted(backupId); page.length > 0; ) {
    yield* page;
    page = await records.readDeleted(backupId, page.at(-1));
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
