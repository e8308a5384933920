/**
 * Deletes what changes leave behind: kept states whose time is over, their logs, and what a reset was to remove. Safe
 * while processes serve requests or collect too, and after a crash at any point: a row goes only after all that it names.
 */
import type { BlobStore } from "../storage/contract.ts";
import type { Collection, DueCollection } from "../storage/inspection.ts";

export interface CollectedStores {
  readonly records: { readonly collection: Collection };
  readonly blobs: Pick<BlobStore, "delete">;
}

/** How many rows are in memory, and collected at a time. */
const WIDTH = 16;

/**
 * Collects all that is due; returns how many rows that were. Where one cannot be collected, the others that are in work
 * are, and the rest is left for a later call.
 *
 * @param stopping ends the call early, with its reason.
 * @throws StorageUnavailable
 */
export async function collectLeftovers(stores: CollectedStores, stopping?: AbortSignal): Promise<number> {
  for (let collected = 0; ; ) {
    stopping?.throwIfAborted();
    const page = await stores.records.collection.due(WIDTH);
    if (page.length === 0) return collected;
    const outcomes = await Promise.allSettled(page.map((due) => collectOne(stores, due, stopping)));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    collected += page.length;
  }
}

async function collectOne(
  { records: { collection }, blobs }: CollectedStores,
  due: DueCollection,
  stopping: AbortSignal | undefined,
): Promise<void> {
  for (const { key } of await collection.take(due)) {
    stopping?.throwIfAborted();
    await blobs.delete(key);
  }
  await collection.settle(due);
}
