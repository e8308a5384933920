/** How new ciphertexts come in: written first, then referred to by a commit, and removed where that was not made. */
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

/** As {@link RecordStore.commit}, for changes that refer to a blob written just before. */
export type CommitNewBlob = (change: Omit<Change, "newBlobSince">) => Promise<"committed" | Conflict>;

export interface NewContentOptions {
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly changes: Pick<Changes, "discard">;
}

/**
 * Writes content and lets `use` commit a record that refers to it. Unless that was committed, or may have been, the
 * content is removed again, whatever `use` returns or throws.
 */
export async function withNewBlob<T>(
  { records, blobs, clock, changes }: NewContentOptions,
  backupId: string,
  { content, client }: { readonly content: Content; readonly client: string },
  use: (blob: BlobRef, commit: CommitNewBlob) => Promise<T>,
): Promise<T> {
  const newBlobSince = instantOf(clock); // before the writing: the process may be suspended at its end, too
  const blob = await blobs.put(backupId, content, client);
  let mayBeReferredTo = false;
  try {
    return await use(blob, async (change) => {
      try {
        const outcome = await records.commit({ ...change, newBlobSince });
        mayBeReferredTo = outcome === "committed";
        return outcome;
      } catch (error) {
        mayBeReferredTo = !isUnchanged(error);
        throw error;
      }
    });
  } finally {
    if (!mayBeReferredTo) await changes.discard(blob);
  }
}
