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

/** Whether a state that was listed can still be brought back. */
export async function isKept(
  records: Pick<RecordStore, "readDeleted">,
  { backupId, kept }: ListedDeletion,
): Promise<boolean> {
  for await (const { deletionId } of keptStates(records, backupId))
    if (deletionId === kept?.deletionId) return true;
  return false;
}
