import type { Clock } from "../clock.ts";
import type { BlobStore, Change, RecordStore } from "../storage/contract.ts";

/**
 * A blob this young may belong to an operation that has not committed yet. Stores refuse a commit to a blob long before
 * that age ({@link Change.newBlobSince}), so also a process that was suspended does not commit to one that is deleted.
 */
export const UNREFERENCED_AFTER_MS = 60 * 60 * 1000;

export interface SweepResult {
  readonly expiredRows: number;
  /** How many blobs that no record refers to were deleted, or would have been but for {@link refusal}. */
  readonly unreferencedBlobs: number;
  /** How many the next call will delete if they are unreferenced then. */
  readonly suspects: number;
  /** Why unreferenced blobs were left alone; `null` when they were not. */
  readonly refusal: string | null;
}

export interface SweptStores {
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  readonly clock: Clock;
}

/**
 * Collects, each time it is called, what crashes and expiry leave behind: one-time rows past their expiry, and blobs
 * that no record refers to. Safe beside running processes: a blob is referred to by the commit that follows its writing
 * or never, so one that was old when it was listed and is not in the records read afterwards stays unreferenced.
 *
 * How old a blob is depends on the clock, which may be put forward, or go on while the machine sleeps between the writing
 * of a blob and its commit. So a blob is deleted only by the second call that finds it unreferenced. Call it at
 * intervals, by a timer, that are longer than any request lives.
 *
 * No blob is deleted where records and blobs do not seem to belong together, as with a database that was lost or
 * restored from an older copy: the blobs are what could still be rescued then.
 */
export function createSweep(stores: SweptStores): () => Promise<SweepResult> {
  const { records, blobs } = stores;
  let suspects: ReadonlySet<string> = new Set();

  return async () => {
    const expiredRows = await records.sweepExpired();
    const { unreferenced, refusal } = await findUnreferenced(stores);
    const known = suspects;
    suspects = new Set();
    if (refusal !== null) return { expiredRows, unreferencedBlobs: unreferenced.size, suspects: 0, refusal };
    suspects = unreferenced.difference(known);
    const deletable = unreferenced.intersection(known);
    for (const key of deletable) await blobs.delete(key);
    return { expiredRows, unreferencedBlobs: deletable.size, suspects: suspects.size, refusal };
  };
}

async function findUnreferenced(stores: SweptStores) {
  const { records, blobs, clock } = stores;
  const unreferenced = new Set<string>();
  for await (const { key, storedAtMs } of blobs.list())
    if (clock.nowMs() - storedAtMs > UNREFERENCED_AFTER_MS) unreferenced.add(key);
  if (unreferenced.size === 0) return { unreferenced, refusal: null };

  let backups = 0;
  let missing = 0;
  for await (const { backupId, blob } of records.list()) {
    backups += 1;
    if (!unreferenced.delete(blob.key) && (await isMissing(stores, backupId, blob.key))) missing += 1;
  }
  return { unreferenced, refusal: refusalOf(unreferenced.size, backups, missing) };
}

/** A sync may replace a blob between the listing and the look at it, so the record is asked once more. */
async function isMissing({ records, blobs }: SweptStores, backupId: string, key: string): Promise<boolean> {
  if ((await blobs.sizeOf(key)) !== null) return false;
  return (await records.read(backupId))?.blob.key === key;
}

function refusalOf(unreferenced: number, backups: number, missing: number): string | null {
  if (missing > 0) return `the current blobs of ${missing} backups are missing`;
  if (unreferenced > backups) return `they outnumber the ${backups} backups`;
  return null;
}
