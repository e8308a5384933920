/** Stores new ciphertexts: writes the blob, commits a record that refers to it, and deletes it if that fails. */
import { type Clock, instantOf } from "../runtime/clock.ts";
import {
  type BlobRef,
  type BlobStore,
  type Change,
  type Conflict,
  type Content,
  isUnchanged,
  type RecordStore,
} from "../storage/contract.ts";
import type { Changes } from "./change.ts";
import { errorOf } from "./outcomes.ts";

/** As `RecordStore.commit`, for changes that refer to the new blob. */
type CommitNewBlob = (change: Omit<Change, "newBlobSince">) => Promise<"committed" | Conflict>;

/**
 * Writes content and lets `use` commit a record that refers to it. Unless that was committed, or may have been, the
 * content is deleted, whatever `use` returns or throws.
 *
 * @throws ServiceError {@link errorOf} the conflict that `use` returns.
 */
export async function withNewBlob(
  {
    records,
    blobs,
    clock,
    changes,
  }: {
    readonly records: Pick<RecordStore, "commit">;
    readonly blobs: Pick<BlobStore, "put">;
    readonly clock: Clock;
    readonly changes: Pick<Changes, "discard">;
  },
  backupId: string,
  { content, client }: { readonly content: Content; readonly client: string },
  use: (blob: BlobRef, commit: CommitNewBlob) => Promise<"committed" | Conflict>,
): Promise<void> {
  const newBlobSince = instantOf(clock); // before the writing: the process may be suspended after it
  const blob = await blobs.put(backupId, content, client);
  let mayBeReferredTo = false;
  try {
    const outcome = await use(blob, async (change) => {
      try {
        const committed = await records.commit({ ...change, newBlobSince });
        mayBeReferredTo = committed === "committed";
        return committed;
      } catch (error) {
        mayBeReferredTo = !isUnchanged(error);
        throw error;
      }
    });
    if (outcome !== "committed") throw errorOf(outcome);
  } finally {
    if (!mayBeReferredTo) await changes.discard(blob);
  }
}
