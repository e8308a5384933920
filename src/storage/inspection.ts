/**
 * What operators need of the stores in addition to contract.ts: sweep, doctor, copies, and the marks of the installation.
 * Every driver implements both. The rules at the head of contract.ts hold here too.
 */
import type { BlobRef, BlobStore, DeletionRef, FactorRef, RecordStore } from "./contract.ts";
import type { Outbox } from "./outbox.ts";

export interface ListedRecord {
  readonly backupId: string;
  /** All that it refers to, the current one first. */
  readonly blobs: readonly BlobRef[];
  /** As in {@link StoredRecord}. */
  readonly changedAtMs: number | null;
}

/** A deleted state, or what is still to be collected of one. */
export interface ListedDeletion {
  readonly backupId: string;
  /** `null` where it can be brought back no longer, because a collection has begun: some blobs may be deleted then. */
  readonly kept: (DeletionRef & { readonly keepUntilMs: number }) | null;
  readonly blobs: readonly BlobRef[];
}

export interface RecordInspection {
  /**
   * Every backup, its blobs and its time of change, in no order. Records that change meanwhile may show either
   * state. A commit that is missing in the list compared its {@link Change.newBlobSince} after the call began, or at
   * most 15 minutes before. However many there are, memory holds a page of them, and other work is done between
   * pages.
   *
   * @param after the id of a backup that another call has listed, whether or not it is still there: begins after it in the
   *   order of that call. A list of all that is stopped after a backup and one after that backup are a whole list.
   */
  list(after?: string): AsyncIterable<ListedRecord>;

  /**
   * Every deleted state, also those whose time is over, and what is to be collected, in no order, as {@link list}.
   * A blob may move meanwhile from a record to a deleted state, or back.
   */
  listDeleted(): AsyncIterable<ListedDeletion>;

  /**
   * Every index row and the backup it leads to, in no order. Rows that are added or deleted meanwhile may be listed.
   *
   * @param after as for {@link list}, a factor in its stored form.
   */
  listFactors(after?: FactorRef): AsyncIterable<{ readonly factor: FactorRef; readonly backupId: string }>;

  /** A factor in its stored form, as {@link listFactors} lists it, whether or not it is in the index. */
  asStored(factor: FactorRef): FactorRef;

  /** Deletes rows that expired; returns how many. Stores that expire rows by themselves return 0. */
  sweepExpired(): Promise<number>;

  /** How many rows {@link sweepExpired} would delete. */
  countExpired(): Promise<number>;

  /** How many backups there are, as the store knew within the last hours; `null` if it knows only by counting. */
  recentCount(): Promise<number | null>;
}

export interface ListedBlob {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  readonly storedAtMs: number;
  /** The backup that it was stored for; `null` where the names of the store do not say it. */
  readonly backupId: string | null;
}

export interface BlobInspection {
  /**
   * Every stored ciphertext, in no order. Memory and event loop as for {@link RecordInspection.list}.
   *
   * @param isSkipped is asked for each name. Where it is, nothing else is read of the ciphertext, which may cost a call.
   */
  list(isSkipped?: (key: string) => boolean): AsyncIterable<ListedBlob>;

  /** How many bytes are stored under a name, whatever their content; `null` when there is none of that name. */
  sizeOf(key: string): Promise<number | null>;
}

/** Something that is due to be deleted. */
export interface DueCollection {
  /** Names it; opaque. */
  readonly id: string;
  readonly backupId: string;
  readonly dueMs: number;
}

/**
 * Deletes what deleted states and logs leave behind. For each row that is due, `take` comes first; then its blobs are
 * deleted; then it is settled. Each step can be repeated after a crash, and by several processes at once.
 */
export interface Collection {
  /**
   * Takes the lease of the collection, or extends it. Where processes on many machines share a store, at most one has it,
   * because each collection costs calls. It ends by itself, and is no lock: without it a collection is safe too.
   *
   * @param holder names the process.
   */
  lease(holder: string, untilMs: number): Promise<boolean>;

  /**
   * What is due now, the longest due first. A deleted state is due {@link COLLECTED_AFTER_MS} after its time. What was written
   * just before may be missing.
   */
  due(limit: number): Promise<readonly DueCollection[]>;

  /**
   * Removes the deleted state, if it is still kept, so that it can be brought back no longer; deletes the events of its
   * logs.
   *
   * @returns the blobs to delete; none where the state was brought back or forgotten, or the row was settled.
   */
  take(due: DueCollection): Promise<readonly BlobRef[]>;

  /** Removes the row. */
  settle(due: DueCollection): Promise<void>;
}

/** The form in which a record store keeps what it has. The schema version of metadata is another one, of each record. */
export interface StoredFormat {
  /** What has the version, such as `database schema`. */
  readonly name: string;
  readonly version: number;
}

/** Which installation a store belongs to. The mark never expires and is in no listing. */
export interface InstallationMark {
  /** The id of the installation; `null` when the store has no mark. Strongly consistent. */
  installationId(): Promise<string | null>;

  /** Marks the store, durably, unless it has a mark; returns the id that it has then. */
  markInstallation(id: string): Promise<string>;

  /** When the installation was last seen in service; `null` when it never was. Strongly consistent. */
  lastSeenMs(): Promise<number | null>;

  /** Sets {@link lastSeenMs}, durably. The record store never sets it back. The store must have its mark. */
  markSeen(nowMs: number): Promise<void>;
}

/** The state of `copiedAtMs` was restored at `restoredAtMs`: what was stored in between is not in the records. */
export interface Restore {
  readonly copiedAtMs: number;
  readonly restoredAtMs: number;
}

/** When the records were restored from an older copy. */
export interface RestoreLog {
  restores(): Promise<readonly Restore[]>;

  /**
   * Adds to {@link restores}, durably. On the embedded driver, whose copies are made at intervals, deleted backups are kept
   * longer by the time between copy and restore.
   */
  noteRestore(restore: Restore): Promise<void>;
}

/** A record store with all that a driver offers. */
export interface InspectableRecords extends RecordStore, RecordInspection, InstallationMark, RestoreLog {
  readonly outbox: Outbox;
  readonly collection: Collection;

  /** @throws NewerFormat, as every call that reads the mark of the installation, or the store is not opened. */
  format(): Promise<StoredFormat>;
}

/** A blob store with all that a driver offers. */
export interface InspectableBlobs extends BlobStore, BlobInspection, InstallationMark {}

/** Records and blobs, opened by the same configuration. */
export interface InspectableStores {
  readonly records: InspectableRecords;
  readonly blobs: InspectableBlobs;
}
