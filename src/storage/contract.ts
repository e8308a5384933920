/**
 * The storage that requests use, as every driver implements it. What it stores is in stored.ts; what only operators
 * use is in inspection.ts.
 *
 * {@link BlobStore} stores ciphertexts: immutable, under fresh random names, durable before `put` returns.
 * {@link RecordStore} stores everything that changes. {@link RecordStore.commit} is one atomic step: it compares the
 * record's revision, writes the next record, claims and releases index rows, consumes nonces, keeps a deleted state and
 * appends events. A blob is written before the commit that refers to it and deleted after the commit that replaces it.
 * So a crash at any instant leaves the old state or the new one, and at worst an unreferenced blob.
 *
 * All methods: what is missing is `null`; a conflict is a value; a store that cannot respond throws
 * {@link StorageUnavailable}, and never returns `null` or `false` instead. An expired row reads as absent, deleted or
 * not. Times are milliseconds since the epoch, compared with the clock that the driver was given.
 */
import type { Instant } from "../runtime/clock.ts";
import type { Nonce } from "../runtime/nonce.ts";
import type {
  BackupRecord,
  BlobRef,
  DeletedBackup,
  DeletionRef,
  FactorRef,
  StoredEvent,
  StoredRecord,
  SyncFactorToken,
} from "./stored.ts";

export {
  BlobDamaged,
  ChangeRefused,
  isUnchanged,
  NewerFormat,
  NotCommitted,
  StorageUnavailable,
} from "./errors.ts";
export {
  type BackupRecord,
  type BlobRef,
  blobsOf,
  type DeletedBackup,
  type DeletionRef,
  type FactorRef,
  factorKeys,
  type JsonObject,
  type JsonValue,
  type StoredEvent,
  type StoredRecord,
  type StoredVersion,
  type SyncFactorToken,
} from "./stored.ts";

/** An event to store. */
export interface NewEvent extends StoredEvent {
  /** The log that it is in, a UUID; `null`: it is in none, and only delivered. */
  readonly logId: string | null;
  /** Until when the log has it. */
  readonly expiresAtMs: number;
  /** When it is first due in the outbox (outbox.ts); `null` when it is not delivered. */
  readonly deliverFromMs: number | null;
}

/** How many events a log has at most; older ones are deleted. */
export const MAX_EVENTS = 1_000;

/** How many states {@link Change.forget} names at most: a transaction of DynamoDB has at most 100 items. */
export const MAX_FORGOTTEN = 40;

/** How long after its time a deleted state is collected: the clocks of two processes may differ. */
export const COLLECTED_AFTER_MS = 60 * 60 * 1000;

/** What no record refers to any more after a change, and what a collection deletes soon after it, also after a crash. */
export interface Leftovers {
  readonly blobs: readonly BlobRef[];
  readonly logIds: readonly string[];
  /** When they are collected at the earliest; at once if it is not given. */
  readonly notBeforeMs?: number;
}

/**
 * A record to store. `changedAtMs` is now by default; a repair sets it, so that the record keeps its time of change.
 */
export type NextRecord = BackupRecord & Partial<Pick<StoredRecord, "changedAtMs">>;

/** One atomic change of one backup. A row or nonce that a list names twice counts once. */
export interface Change {
  readonly backupId: string;
  /** What must be stored for the change to happen: nothing, or the record at this revision. */
  readonly expect: "absent" | { readonly revision: string };
  /** The record afterwards; `null` deletes it. */
  readonly next: NextRecord | null;
  /**
   * When the writing of the blob of `next` began, if no record refers to that blob yet. A commit long after is
   * refused.
   */
  readonly newBlobSince?: Instant;
  /**
   * Index rows to add. None may exist. What creates a record may name any number. A driver may add the last of many right
   * before the record, and deletes them where the commit fails; a crash leaves rows that lead to a backup that does not
   * exist, which a creation of that id takes over. Where others delete such rows before the record is there, the driver adds them
   * again right after it; where that fails the commit throws, and after that or a crash the doctor adds the rows.
   */
  readonly claim?: readonly FactorRef[];
  /**
   * Index rows to delete. Rows of other backups, and rows that do not exist, are left alone. A deletion of the record may
   * name any number. A driver may delete the last of many right after the record; where that fails the commit throws, and
   * rows stay that lead to a backup that does not exist, as after a crash.
   */
  readonly release?: readonly FactorRef[];
  /** Nonces to consume. None may be consumed yet. */
  readonly consume?: readonly Nonce[];
  /** Nonces that count as consumed after the change, whether or not they were consumed before. */
  readonly mark?: readonly Nonce[];
  /** The id of a sync factor token to redeem. It must be issued, not expired, not redeemed, and of this backup. */
  readonly redeem?: string;
  /** A sync factor token to issue. Its id must be new. */
  readonly issue?: SyncFactorToken;
  /**
   * The last state of a record that is deleted or replaced, to keep. Its blobs and its log stay until it is brought back, forgotten,
   * or collected after its time.
   */
  readonly setAside?: DeletedBackup;
  /** A deleted state to remove, because `next` has what it refers to. It must be kept, and its time not be over. */
  readonly bringBack?: DeletionRef;
  /** Deleted states to remove, at most {@link MAX_FORGOTTEN}. Each must be kept, whether or not its time is over. */
  readonly forget?: readonly DeletionRef[];
  /** What is to be deleted soon after the change. */
  readonly collect?: Leftovers;
  /** Events to append to their logs, and to queue where they are to be delivered. Their ids must be new. */
  readonly events?: readonly NewEvent[];
}

/**
 * Why a commit changed nothing. `consumed`: a nonce was consumed before, or the sync factor token cannot be redeemed.
 * `exists`: there is a record, and none was expected. `revision`: the record has another revision or does not exist.
 * `not-kept`: a state to bring back or to forget is not kept. `factor-claimed`: an index row to add exists. Where several
 * apply, the first in this order is returned.
 */
export type Conflict = "consumed" | "exists" | "revision" | "not-kept" | "factor-claimed";

/** What one call of {@link RecordStore.consume} has consumed. */
export interface Consumption {
  /**
   * Releases the nonces of this one call, and its sync factor token unless that was redeemed, because the operation
   * could not be carried out. A nonce that another call has consumed since stays consumed. Its events leave the log, and
   * the outbox unless they were claimed there. Further calls have no effect. Nothing else releases nonces: an operation
   * that succeeded must not be repeatable.
   */
  release(): Promise<void>;
}

/**
 * Records, index rows, nonces, sync factor tokens, counters, deleted states and events. The head of this file says what
 * all methods promise.
 */
export interface RecordStore extends AsyncDisposable {
  /**
   * Finds the backup that a factor leads to, and whether one of the nonces was consumed before, in one round trip. Both
   * are strongly consistent, but may be of different instants: a commit that consumes a nonce and releases the factor
   * can come between.
   */
  locate(
    factor: FactorRef,
    nonces: readonly Nonce[],
  ): Promise<{ readonly backupId: string | null; readonly consumed: boolean }>;

  /** Whether one of the nonces was consumed before; strongly consistent. */
  isConsumed(nonces: readonly Nonce[]): Promise<boolean>;

  /** Reads a record; strongly consistent. */
  read(backupId: string): Promise<StoredRecord | null>;

  /**
   * Makes a change, all of it or nothing, durably. Throws where the outcome is not known.
   *
   * @throws NotCommitted when the change was certainly not made, as with a full disk, or is too late: long after
   *   {@link Change.newBlobSince}, or after the expiry of a nonce to consume. {@link ChangeRefused} when it would fail
   *   again.
   */
  commit(change: Change): Promise<"committed" | Conflict>;

  /**
   * Consumes nonces, and may issue a sync factor token and append events, as {@link Change.events}, in the same atomic
   * write, for an operation that changes nothing else.
   *
   * @returns `null` when one of the nonces was consumed before; then nothing was written.
   * @throws NotCommitted when a nonce has expired; Error when there is a token of that id.
   */
  consume(
    nonces: readonly Nonce[],
    issue?: SyncFactorToken,
    events?: readonly NewEvent[],
  ): Promise<Consumption | null>;

  /**
   * The deleted states of a backup, the latest deletion first, a page at a time; strongly consistent.
   *
   * @param after the last state of the page before, kept or not: those that follow it are returned. Of the first page by
   *   default.
   * @returns an empty page at the end, and only there.
   */
  readDeleted(backupId: string, after?: DeletionRef): Promise<readonly DeletedBackup[]>;

  /**
   * The events of a log, newest first, at most `limit` of the newest {@link MAX_EVENTS}; strongly consistent.
   *
   * @param before the id of an event, in the log or not: those with smaller ids are returned.
   * @returns `next`: what to pass as `before` to go on; `null` at the end.
   */
  readEvents(
    logId: string,
    page: { readonly before: string | null; readonly limit: number },
  ): Promise<{ readonly events: readonly StoredEvent[]; readonly next: string | null }>;

  /** Reads a sync factor token by its id; `null` when it was never issued or has expired. */
  readToken(
    id: string,
  ): Promise<{ readonly backupId: string; readonly holder: string; readonly redeemed: boolean } | null>;

  /**
   * Adds to a counter and returns the sum. A counter that does not exist is 0. It exists until `expiresAtMs`, and every
   * call for an id names the same expiry. Atomic; but an addition whose response was lost may be counted twice.
   */
  addToCounter(id: string, amount: number, expiresAtMs: number): Promise<number>;

  /** Resolves when the store responds and is set up. Writes nothing. @throws StorageUnavailable */
  ready(): Promise<void>;

  /**
   * Resolves when the store takes a write: makes one, durably, that no other method shows.
   *
   * @throws StorageUnavailable
   */
  writable(): Promise<void>;
}

/** A ciphertext in pieces of any size. */
export type Content = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Ciphertexts: immutable, under fresh names. The head of this file says what all methods promise. */
export interface BlobStore extends AsyncDisposable {
  /**
   * Stores a ciphertext under a fresh name, durably, with a few pieces of it in memory at a time. Where `content`
   * throws, nothing is stored.
   *
   * @param client the address of the client. Where large transfers have to wait, clients are served round-robin.
   */
  put(backupId: string, content: Content, client?: string): Promise<BlobRef>;

  /**
   * Opens a ciphertext; `null` when there is none of that name. Size and hash are verified while it is read: of a damaged
   * one this or the stream fails with {@link BlobDamaged} before the last bytes, so a stream that ends is verified. An
   * outage may also show in the stream. The stream must be read or cancelled.
   *
   * @param client as for {@link put}.
   */
  get(ref: BlobRef, client?: string): Promise<ReadableStream<Uint8Array> | null>;

  /** Deletes a ciphertext, if it exists. */
  delete(key: string): Promise<void>;

  /** How many more bytes can be stored; `null` where there is no limit. */
  freeBytes(): Promise<number | null>;

  /** As {@link RecordStore.ready}. */
  ready(): Promise<void>;

  /** As {@link RecordStore.writable}. */
  writable(): Promise<void>;
}
