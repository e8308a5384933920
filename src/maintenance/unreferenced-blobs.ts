/**
 * Finds blobs that nothing refers to, for the sweep and the doctor: no record, with its versions, and no deleted state,
 * which counts as a record here. However many backups there are, memory holds a page of a listing, a filter of fixed size
 * (key-filter.ts) and a bounded number of suspects.
 *
 * A blob is referred to by the commit that follows its writing or never. So one that was old when it was listed and is
 * in no record read afterwards stays unreferenced. First all records are put into the filter, then each blob is looked up
 * in it. The filter may take an unreferenced blob for a referenced one, never the other way round; but a record may
 * have changed since it was read, so suspects are compared with the records once more.
 */
import type { Clock, Random } from "../runtime/clock.ts";
import type {
  InspectableBlobs,
  InspectableRecords,
  ListedBlob,
  ListedDeletion,
  ListedRecord,
  Restore,
} from "../storage/inspection.ts";
import { createKeyFilter, type KeyFilter } from "./key-filter.ts";

/**
 * A blob this young may belong to an operation that has not committed yet. Stores refuse a commit long before that age
 * (`Change.newBlobSince`), so a process that was suspended does not commit to a deleted blob.
 */
const UNREFERENCED_AFTER_MS = 60 * 60 * 1000;

export interface ScannedStores {
  readonly records: InspectableRecords;
  readonly blobs: InspectableBlobs;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * `abandoned`: the blob is of an operation that did not end. `of-unknown-backup`: the store says for which backup the blob
 * was stored, and that backup has no record: the blob may be another installation's. `newer-than-records`: no record is as
 * young as the blob, or records from the same time were lost in a restore: the record of the blob may be missing.
 */
export type Origin = "abandoned" | "of-unknown-backup" | "newer-than-records";

/** A blob that is old, and that no record referred to when the records were listed. */
export type Suspect = Pick<ListedBlob, "key" | "backupId" | "storedAtMs">;

/** One scan: every record is added, then every deleted state, then the blobs are listed. */
export class UnreferencedBlobs {
  readonly #stores: ScannedStores;
  readonly #restores: readonly Restore[];
  readonly #referenced: KeyFilter;
  #records = 0;
  #youngestChangeMs = Number.NEGATIVE_INFINITY;

  /** @param restores when the records were restored from an older copy. */
  constructor(stores: ScannedStores, restores: readonly Restore[]) {
    this.#stores = stores;
    this.#restores = restores;
    this.#referenced = createKeyFilter(stores.random);
  }

  add({ blobs, changedAtMs }: ListedRecord): void {
    this.#records += 1;
    for (const { key } of blobs) this.#referenced.add(key);
    if (changedAtMs !== null) this.#youngestChangeMs = Math.max(this.#youngestChangeMs, changedAtMs);
  }

  addDeletion({ blobs, kept }: ListedDeletion): void {
    for (const { key } of blobs) this.#referenced.add(key);
    if (kept !== null) this.#youngestChangeMs = Math.max(this.#youngestChangeMs, kept.deletedAtMs);
  }

  /** How many records were added. */
  get records(): number {
    return this.#records;
  }

  /** @param onBlob is called for every blob that is listed. */
  async *suspects(onBlob: () => void = () => {}): AsyncGenerator<Suspect> {
    const { blobs, clock } = this.#stores;
    const oldBeforeMs = clock.nowMs() - UNREFERENCED_AFTER_MS;
    const isReferenced = (key: string) => {
      onBlob();
      return this.#referenced.mayHave(key);
    };
    for await (const { key, storedAtMs, backupId } of blobs.list(isReferenced))
      if (storedAtMs < oldBeforeMs) yield { key, storedAtMs, backupId };
  }

  /** Removes the suspects that are referred to now. @param onBackup is called for every record and deleted state. */
  async keepUnreferenced(
    suspects: Map<string, Suspect>,
    onBackup: (backupId: string) => void = () => {},
  ): Promise<void> {
    const { records } = this.#stores;
    for (const listing of [records.list(), records.listDeleted()])
      for await (const { backupId, blobs } of listing) {
        for (const { key } of blobs) suspects.delete(key);
        onBackup(backupId);
      }
  }

  /** As {@link keepUnreferenced}; says where each suspect that is left comes from. */
  async originsOf(suspects: Map<string, Suspect>): Promise<(suspect: Suspect) => Origin> {
    const unknown = new Set<string>();
    for (const { backupId } of suspects.values()) if (backupId !== null) unknown.add(backupId);
    await this.keepUnreferenced(suspects, (backupId) => unknown.delete(backupId));
    return (suspect) => {
      if (suspect.backupId !== null && unknown.has(suspect.backupId)) return "of-unknown-backup";
      return this.isNewerThanRecords(suspect) ? "newer-than-records" : "abandoned";
    };
  }

  /**
   * Whether the record that refers to a blob may be missing because it is younger than the records that are there. A blob
   * is stored some time before the commit that refers to it.
   */
  isNewerThanRecords({ storedAtMs }: Suspect): boolean {
    const committedByMs = storedAtMs + UNREFERENCED_AFTER_MS;
    return (
      committedByMs > this.#youngestChangeMs ||
      this.#restores.some(
        ({ copiedAtMs, restoredAtMs }) => committedByMs > copiedAtMs && storedAtMs <= restoredAtMs,
      )
    );
  }
}
