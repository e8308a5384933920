import { deletedStates } from "../backups/deleted-states.ts";
import type { DeletedBackup, RecordStore } from "../storage/contract.ts";
import type { ListedDeletion } from "../storage/inspection.ts";

/** A deleted state that was listed, if it can still be brought back. */
export async function listedState(
  records: Pick<RecordStore, "readDeleted">,
  { backupId, kept }: ListedDeletion,
): Promise<DeletedBackup | null> {
  if (kept === null) return null;
  for await (const state of deletedStates(records, backupId))
    if (state.deletionId === kept.deletionId) return state;
  return null;
}
