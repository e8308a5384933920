import type { DeletedBackup, RecordStore } from "../storage/contract.ts";
import type { ListedDeletion } from "../storage/inspection.ts";

/** After every id that is a UUID of the same beginning. */
const END = "~";

/** A deleted state that was listed, if it can still be brought back. One page is read, however many states its backup has. */
export async function listedState(
  records: Pick<RecordStore, "readDeleted">,
  { backupId, kept }: ListedDeletion,
): Promise<DeletedBackup | null> {
  if (kept === null) return null;
  const { deletedAtMs, deletionId } = kept;
  const [state] = await records.readDeleted(backupId, { deletedAtMs, deletionId: deletionId + END });
  return state?.deletionId === deletionId ? state : null;
}
