import { isOfNewerSchema } from "../backups/schema-version.ts";
import { blobsOf } from "../storage/contract.ts";
import type { ListedDeletion, ListedRecord, Restore } from "../storage/inspection.ts";
import { concurrently } from "./concurrently.ts";
import { collectLeftovers } from "./leftovers.ts";
import { listedState } from "./listed-state.ts";
import { type StoredTotals, StoredTotalsCounter } from "./stored-totals.ts";
import { type ScannedStores, type Suspect, UnreferencedBlobs } from "./unreferenced-blobs.ts";

export interface SweepResult {
  readonly expiredRows: number;
  /** How many rows of leftovers were collected. */
  readonly collected: number;
  /** How many blobs that no record refers to were deleted, or would have been but for {@link refusal}. */
  readonly unreferencedBlobs: number;
  /** How many the next call will delete if they are unreferenced then. */
  readonly suspects: number;
  /** How many blobs are never deleted by a sweep, because their records may be missing. The doctor names them. */
  readonly leftAlone: number;
  /** Why unreferenced blobs were left alone; `null` when they were not. */
  readonly refusal: string | null;
}

export interface SweptStores extends ScannedStores {
  /** When the records were restored from an older copy. */
  restores(): Promise<readonly Restore[]>;
  /** Called with what the stores have, which is counted on the way. */
  readonly onCounted?: (stored: StoredTotals) => void;
}

/** How many blobs are remembered from one call to the next; further ones wait for a later call. */
const MAX_SUSPECTS = 10_000;
/** How many records are compared with their blobs at a time. */
const WIDTH = 16;

/**
 * Collects, each time it is called, what crashes and expiry leave behind: rows past their expiry, leftovers that are due
 * (leftovers.ts), and blobs that nothing refers to (unreferenced-blobs.ts). Safe while processes serve requests, and in
 * bounded memory.
 *
 * The age of a blob depends on the clock, which may be set forward, or advance while the machine sleeps between the
 * writing of a blob and its commit. So a blob is deleted only by the second call that finds it unreferenced. A timer must
 * call the sweep, at intervals longer than a request may take once its body has arrived.
 *
 * No blob is deleted where records and blobs do not seem to belong together, as with a database that was lost or
 * restored from an older copy: the blobs are what could still be rescued then. Nor is one deleted while there is metadata
 * of a newer version of the service, which may refer to more blobs than this version knows.
 *
 * A call ends early when `stopping` is aborted, with its reason. What it would have collected is left for a later one.
 */
export function createSweep(stores: SweptStores): (stopping?: AbortSignal) => Promise<SweepResult> {
  const { records, blobs } = stores;
  let known: ReadonlySet<string> = new Set();

  return async (stopping) => {
    const expiredRows = await records.sweepExpired();
    const collected = await collectLeftovers(stores, stopping);
    const rows = { expiredRows, collected };
    const scan = new UnreferencedBlobs(stores, await stores.restores());
    const stored = new StoredTotalsCounter();
    for await (const record of records.list()) {
      stopping?.throwIfAborted();
      scan.add(record);
      stored.add(record);
    }
    for await (const deletion of records.listDeleted()) {
      stopping?.throwIfAborted();
      scan.addDeletion(deletion);
      stored.addDeletion(deletion);
    }
    stores.onCounted?.(stored);

    const before = known;
    known = new Set();
    const { kept, count, newer } = await collectSuspects(scan, before, stopping);
    if (kept.size === 0) {
      const refusal = newer > 0 && scan.records === 0 ? outnumbered(0) : null;
      const refused = refusal === null ? 0 : newer;
      return { ...NOTHING, ...rows, unreferencedBlobs: refused, leftAlone: newer - refused, refusal };
    }
    const originOf = await scan.originsOf(kept);
    const abandoned = new Set<string>();
    for (const suspect of kept.values()) if (originOf(suspect) === "abandoned") abandoned.add(suspect.key);
    const leftAlone = newer + kept.size - abandoned.size;
    if (abandoned.size === 0) return { ...NOTHING, ...rows, leftAlone };

    const refusal = await refusalOf(stores, count, scan.records);
    if (refusal !== null)
      return { ...NOTHING, ...rows, leftAlone, unreferencedBlobs: abandoned.size, refusal };
    known = abandoned.difference(before);
    const deletable = abandoned.intersection(before);
    for (const key of deletable) {
      stopping?.throwIfAborted();
      await blobs.delete(key);
    }
    return { ...rows, unreferencedBlobs: deletable.size, suspects: known.size, leftAlone, refusal };
  };
}

const outnumbered = (backups: number) => `they outnumber the ${backups} backups`;

const NOTHING = { unreferencedBlobs: 0, suspects: 0, refusal: null };

/** Suspects of the last call are always kept, so that each call can delete some. Counts the others. */
async function collectSuspects(
  scan: UnreferencedBlobs,
  before: ReadonlySet<string>,
  stopping: AbortSignal | undefined,
) {
  const kept = new Map<string, Suspect>();
  let count = 0;
  let newer = 0;
  let fresh = 0;
  for await (const suspect of scan.suspects(() => stopping?.throwIfAborted())) {
    stopping?.throwIfAborted();
    if (scan.isNewerThanRecords(suspect)) {
      newer += 1;
      continue;
    }
    count += 1;
    if (before.has(suspect.key) || ++fresh <= MAX_SUSPECTS) kept.set(suspect.key, suspect);
  }
  return { kept, count, newer };
}

/** Called only when there is something to delete: it reads every record, and asks for the sizes of its blobs. */
async function refusalOf(stores: SweptStores, unreferenced: number, backups: number): Promise<string | null> {
  if (unreferenced > backups) return outnumbered(backups);
  let missing = 0;
  let newer = 0;
  for await (const doubt of concurrently(stores.records.list(), WIDTH, async (record) => [
    await doubtAbout(stores, record),
  ])) {
    if (doubt === "missing") missing += 1;
    if (doubt === "newer") newer += 1;
  }
  for await (const doubt of concurrently(stores.records.listDeleted(), WIDTH, async (deletion) => [
    await doubtAboutDeletion(stores, deletion),
  ])) {
    if (doubt === "missing") missing += 1;
    if (doubt === "newer") newer += 1;
  }
  if (newer > 0)
    return `a newer version of the service stored ${newer} of the backups, which may refer to them`;
  return missing === 0 ? null : `the blobs of ${missing} backups are missing`;
}

/** A sync may replace a blob while its size is asked for, so the record is read once more. */
async function doubtAbout(
  { records, blobs }: SweptStores,
  { backupId }: ListedRecord,
): Promise<"missing" | "newer" | null> {
  const stored = await records.read(backupId);
  if (stored === null) return null;
  if (isOfNewerSchema(stored.metadata)) return "newer";
  for (const { key } of blobsOf(stored))
    if ((await blobs.sizeOf(key)) === null) {
      const again = await records.read(backupId);
      return again !== null && blobsOf(again).some((blob) => blob.key === key) ? "missing" : null;
    }
  return null;
}

/** As {@link doubtAbout}, of a deleted state, which may be brought back or forgotten meanwhile. */
async function doubtAboutDeletion(
  { records, blobs }: SweptStores,
  deletion: ListedDeletion,
): Promise<"missing" | "newer" | null> {
  const state = await listedState(records, deletion);
  if (state === null) return null;
  if (isOfNewerSchema(state.metadata)) return "newer";
  for (const { key } of blobsOf(state))
    if ((await blobs.sizeOf(key)) === null)
      return (await listedState(records, deletion)) === null ? null : "missing";
  return null;
}
