import type { DeletedBackup, RecordStore } from "../storage/contract.ts";
import type { ListedDeletion } from "../storage/inspection.ts";

/** Every state that can be brought back of a backup, the latest first. Memory holds a page of them. */
export async function* keptStates(
  records: Pick<RecordStore, "readDeleted">,
  backupId: string,
): AsyncGenerator<DeletedBackup> {
  for (let page = await records.readDeleted(backupId); page.length > 0; ) {
    yield* page;
    page = await records.readDeleted(backupId, page.at(-1));
  }
}

/** A state that was listed, if it can still be brought back. */
export async function listedState(
  records: Pick<RecordStore, "readDeleted">,
  { backupId, kept }: ListedDeletion,
): Promise<DeletedBackup | null> {
  if (kept === null) return null;
  for await (const state of keptStates(records, backupId))
    if (state.deletionId === kept.deletionId) return state;
  return null;
}
