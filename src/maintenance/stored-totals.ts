import type { ListedDeletion, ListedRecord } from "../storage/inspection.ts";

/** What the stores have; ciphertext in bytes. */
export interface StoredTotals {
  readonly backups: number;
  /** Of the current contents. */
  readonly contentBytes: number;
  /** Of earlier contents that are kept. */
  readonly versionBytes: number;
  /** Deleted backups that can be brought back. */
  readonly deletedBackups: number;
  readonly deletedBytes: number;
}

/** Adds up what a scan passes anyway. */
export class StoredTotalsCounter implements StoredTotals {
  backups = 0;
  contentBytes = 0;
  versionBytes = 0;
  deletedBackups = 0;
  deletedBytes = 0;

  add({ blobs: [current, ...versions] }: ListedRecord): void {
    this.backups += 1;
    this.contentBytes += current?.size ?? 0;
    for (const { size } of versions) this.versionBytes += size;
  }

  addDeletion({ blobs, kept }: ListedDeletion): void {
    if (kept === null) return;
    this.deletedBackups += 1;
    for (const { size } of blobs) this.deletedBytes += size;
  }
}
