/**
 * Deletes what changes leave behind: deleted states whose time is over, their logs, and what a reset was to remove. Safe
 * while processes serve requests or collect too, and after a crash at any point: a row goes only after all that it names.
 *
 * What a row names is referred to by nothing else, unless records and rows are of different times, as when only some
 * tables were restored. So what the backup or another of its deleted states refers to is not deleted.
 */

import { deletedStates } from "../backups/deleted-states.ts";
import { type BlobStore, blobsOf, type RecordStore } from "../storage/contract.ts";
import type { Collection, DueCollection } from "../storage/inspection.ts";

export interface CollectedStores {
  readonly records: Pick<RecordStore, "read" | "readDeleted"> & { readonly collection: Collection };
  readonly blobs: Pick<BlobStore, "delete">;
}

/** How many rows are in memory, and collected at a time. */
const WIDTH = 16;

/** After so many failures a call gives up: a store does not respond. */
const MAX_FAILURES = 16;

/**
 * Collects all that is due; returns how many rows that were. One that cannot be collected does not keep the others: it is
 * left for a later call, and its error is thrown at the end.
 *
 * @param stopping ends the call early, with its reason.
 * @throws StorageUnavailable
 */
export async function collectLeftovers(stores: CollectedStores, stopping?: AbortSignal): Promise<number> {
  const failures = new Map<string, unknown>();
  for (let collected = 0; ; ) {
    const due = await stores.records.collection.due(WIDTH + failures.size);
    const page = due.filter(({ id }) => !failures.has(id));
    const inUse = readOnce((backupId) => keysInUse(stores.records, backupId));
    await Promise.all(
      page.map((row) =>
        collectOne(stores, row, inUse, stopping).then(
          () => collected++,
          (error: unknown) => failures.set(row.id, error),
        ),
      ),
    );
    stopping?.throwIfAborted();
    const [failure] = failures.values();
    if (page.length === 0 && failures.size === 0) return collected;
    if (page.length === 0 || failures.size > MAX_FAILURES) throw failure;
  }
}

async function collectOne(
  { records, blobs }: CollectedStores,
  due: DueCollection,
  inUse: (backupId: string) => Promise<ReadonlySet<string>>,
  stopping: AbortSignal | undefined,
): Promise<void> {
  stopping?.throwIfAborted();
  const taken = await records.collection.take(due);
  const used = taken.length === 0 ? new Set() : await inUse(due.backupId);
  for (const { key } of taken) {
    stopping?.throwIfAborted();
    if (!used.has(key)) await blobs.delete(key);
  }
  await records.collection.settle(due);
}

/** For the rows that are collected together: repeated creations and deletions leave many rows of one backup. */
function readOnce<T>(read: (backupId: string) => Promise<T>): (backupId: string) => Promise<T> {
  const reads = new Map<string, Promise<T>>();
  return (backupId) => {
    const reading = reads.get(backupId) ?? read(backupId);
    reads.set(backupId, reading);
    return reading;
  };
}

/** The keys of all blobs of a backup and of its deleted states. */
async function keysInUse(records: CollectedStores["records"], backupId: string): Promise<Set<string>> {
  const keys = new Set<string>();
  const stored = await records.read(backupId);
  if (stored !== null) for (const { key } of blobsOf(stored)) keys.add(key);
  for await (const state of deletedStates(records, backupId))
    for (const { key } of blobsOf(state)) keys.add(key);
  return keys;
}
