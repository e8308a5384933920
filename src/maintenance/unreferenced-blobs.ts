/**
 * Finds blobs that no record refers to, for the sweep and the doctor. However many backups there are, memory holds a
 * page of a listing, a filter of fixed size (key-filter.ts) and a bounded number of suspects.
 *
 * A blob is referred to by the commit that follows its writing or never. So one that was old when it was listed and is
 * in no record read afterwards stays unreferenced. First all records are put into the filter, then each blob is looked up
 * in it. The filter may take an unreferenced blob for a referenced one, never the other way round; but a record may
 * have changed since it was read, so suspects are compared with the records once more.
 */
import { UNREFERENCED_AFTER_MS } from "../backups/blob-age.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { BlobStore, ListedBlob, ListedRecord, RecordStore, Restore } from "../storage/contract.ts";
import { createKeyFilter, type KeyFilter } from "./key-filter.ts";

/** What is remembered of all records. */
export class RecordsSeen {
  readonly #referenced: KeyFilter;
  #count = 0;
  #youngestChangeMs = Number.NEGATIVE_INFINITY;

  constructor(random: Random) {
    this.#referenced = createKeyFilter(random);
  }

  add({ blob, changedAtMs }: ListedRecord): void {
    this.#count += 1;
    this.#referenced.add(blob.key);
    if (changedAtMs !== null) this.#youngestChangeMs = Math.max(this.#youngestChangeMs, changedAtMs);
  }

  get count(): number {
    return this.#count;
  }

  /** `false`: no record that was added refers to the blob. */
  mayRefer(key: string): boolean {
    return this.#referenced.mayHave(key);
  }

  /** When the youngest record changed; `-Infinity` when that is known of none. */
  get youngestChangeMs(): number {
    return this.#youngestChangeMs;
  }
}

/**
 * `leftover`: of an operation that did not end. `of-unknown-backup`: the store says for which backup it was stored, and
 * there is no record of that one: it may be another installation's. `newer-than-records`: records of its time are not
 * there, because no record is that young, or because they were restored from an older copy; its own may be missing too.
 */
export type Origin = "leftover" | "of-unknown-backup" | "newer-than-records";

export type Suspect = Pick<ListedBlob, "key" | "backupId" | "storedAtMs">;

/** Blobs that are old, and that no record which was seen refers to. */
export async function* suspectBlobs(
  { blobs, clock }: { readonly blobs: BlobStore; readonly clock: Clock },
  seen: RecordsSeen,
  onBlob: () => void = () => {},
): AsyncGenerator<Suspect> {
  const oldBeforeMs = clock.nowMs() - UNREFERENCED_AFTER_MS;
  for await (const { key, storedAtMs, backupId } of blobs.list()) {
    onBlob();
    if (storedAtMs < oldBeforeMs && !seen.mayRefer(key)) yield { key, storedAtMs, backupId };
  }
}

/** Removes the suspects that a record refers to now; `onRecord` sees every record. */
export async function keepUnreferenced(
  records: RecordStore,
  suspects: Map<string, Suspect>,
  onRecord: (record: ListedRecord) => void = () => {},
): Promise<void> {
  for await (const record of records.list()) {
    suspects.delete(record.blob.key);
    onRecord(record);
  }
}

/** Of what times records are known to be there, and of which they are not. */
export interface Times {
  readonly seen: RecordsSeen;
  readonly restores: readonly Restore[];
}

/** As {@link keepUnreferenced}; says where each suspect that is left comes from. */
export async function originsOf(
  records: RecordStore,
  suspects: Map<string, Suspect>,
  times: Times,
): Promise<(suspect: Suspect) => Origin> {
  const unknown = new Set<string>();
  for (const { backupId } of suspects.values()) if (backupId !== null) unknown.add(backupId);
  await keepUnreferenced(records, suspects, ({ backupId }) => unknown.delete(backupId));
  return (suspect) => {
    if (suspect.backupId !== null && unknown.has(suspect.backupId)) return "of-unknown-backup";
    return isNewerThanRecords(suspect, times) ? "newer-than-records" : "leftover";
  };
}

/**
 * Whether the record that refers to a blob may be missing because it is younger than the records that are there. A blob
 * is stored some time before the commit that refers to it.
 */
export function isNewerThanRecords(
  { storedAtMs }: Pick<Suspect, "storedAtMs">,
  { seen, restores }: Times,
): boolean {
  const committedByMs = storedAtMs + UNREFERENCED_AFTER_MS;
  return (
    committedByMs > seen.youngestChangeMs ||
    restores.some(({ copiedAtMs, restoredAtMs }) => committedByMs > copiedAtMs && storedAtMs <= restoredAtMs)
  );
}
