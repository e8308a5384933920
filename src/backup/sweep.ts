import type { Clock } from "../clock.ts";
import type { BlobStore, RecordStore } from "../storage/contract.ts";

/** A blob this young may belong to an operation that has not committed yet. Far longer than any request lives. */
const UNREFERENCED_AFTER_MS = 60 * 60 * 1000;

export interface SweepResult {
  readonly expiredRows: number;
  readonly unreferencedBlobs: number;
}

/**
 * Collects what crashes and expiry leave behind: one-time rows past their expiry, and blobs that no record refers to.
 * Safe beside running processes: a blob is referred to by the commit that follows its writing or never, so one that
 * was old when it was listed and is not in the records read afterwards stays unreferenced.
 */
export async function sweep(stores: {
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  readonly clock: Clock;
}): Promise<SweepResult> {
  const { records, blobs, clock } = stores;
  const expiredRows = await records.sweepExpired();

  const old = new Set<string>();
  for await (const { key, storedAtMs } of blobs.list())
    if (clock.nowMs() - storedAtMs > UNREFERENCED_AFTER_MS) old.add(key);
  if (old.size > 0) for await (const { blob } of records.list()) old.delete(blob.key);
  for (const key of old) await blobs.delete(key);
  return { expiredRows, unreferencedBlobs: old.size };
}
