/**
 * What requests ask of storage, and what every driver promises. What operators ask besides is in inspection.ts.
 *
 * Two stores. {@link BlobStore} keeps ciphertexts: immutable, under fresh random names, durable before `put`
 * returns. {@link RecordStore} keeps everything that changes, and changes it only by {@link RecordStore.commit}:
 * one atomic step that compares the record's revision, writes the next record, claims and releases index rows and
 * consumes nonces. A blob is written before the commit that refers to it and deleted after the commit that
 * drops it, so a crash at any instant leaves the old state or the new one, and at worst an unreferenced blob.
 *
 * Rules for all methods: what is missing is `null`; a conflict is a value; a store that cannot answer throws
 * {@link StorageUnavailable} and never answers `null` or `false` instead. A row past its expiry reads as absent,
 * collected or not. All times are milliseconds since the epoch, compared with the clock the driver was given.
 */

import { ServiceError } from "../errors.ts";
import type { Instant } from "../runtime/clock.ts";

/** Main factors recover and manage a backup, sync factors update it. The two have separate index rows. */
export type FactorScope = "MAIN" | "SYNC";

/** Names a factor in the index. `key` is made by {@link factorKeys}. */
export interface FactorRef {
  readonly scope: FactorScope;
  readonly key: string;
  /** Set where `key` has the form of the store, which keeps only a hash of long or odd keys. */
  readonly stored?: true;
}

/** The key of a factor in the index. Part of the stored format: a change orphans stored factors. */
export const factorKeys = {
  /** `publicKey`: base64 of the SEC 1 uncompressed point, as the client sent it. */
  ecKeypair: (publicKey: string): string => `EC_KEYPAIR|${publicKey}`,
  /** `credentialId`: base64url without padding. */
  passkey: (credentialId: string): string => `PK|${credentialId}`,
  /** `issuer` and `sub` of the id_token. */
  oidcAccount: (issuer: string, sub: string): string => `OIDC|${issuer}|${sub}`,
} as const;

/** A value that is accepted once. Its use is remembered until `expiresAtMs`; from then on it is refused anyway. */
export interface Nonce {
  readonly id: string;
  readonly expiresAtMs: number;
}

/** A sync factor token as it is stored: `id` is the hash of the token, never the token. */
export interface SyncFactorToken extends Nonce {
  readonly backupId: string;
  /** The id of the main factor that it was issued to. */
  readonly holder: string;
}

/** Names a stored ciphertext. `size` in bytes, `sha256` in lower-case hex. */
export interface BlobRef {
  readonly key: string;
  readonly size: number;
  readonly sha256: string;
}

/** What `JSON.parse` returns (RFC 8259). */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [member: string]: JsonValue;
}

/** The state of one backup. `metadata` is opaque to drivers and comes back with every member it was stored with. */
export interface BackupRecord {
  readonly blob: BlobRef;
  readonly metadata: JsonObject;
}

/** `revision` is a fresh random value at every commit, so a deleted and recreated backup never repeats one. */
export interface StoredRecord extends BackupRecord {
  readonly revision: string;
  /** When the service last changed it; `null` for a record of a version that did not keep the time. */
  readonly changedAtMs: number | null;
}

/** A record to store. A repair sets `changedAtMs`, so that the record keeps its time of change; without, it is now. */
export type NextRecord = BackupRecord & Partial<Pick<StoredRecord, "changedAtMs">>;

/** One atomic change of one backup. A row or value that a list names twice counts once. */
export interface Change {
  readonly backupId: string;
  /** What must be stored for the change to happen: nothing, or the record at this revision. */
  readonly expect: "absent" | { readonly revision: string };
  /** The record afterwards; `null` deletes it. */
  readonly next: NextRecord | null;
  /**
   * When the writing of the blob of `next` began, where no record refers to it yet. Long after, the change is refused.
   */
  readonly newBlobSince?: Instant;
  /** Index rows to take. Each must be free. */
  readonly claim?: readonly FactorRef[];
  /** Index rows to give up. Those that belong to another backup or to none are left alone. */
  readonly release?: readonly FactorRef[];
  /** The nonces that the change uses. None may be consumed yet. */
  readonly consume?: readonly Nonce[];
  /** Nonces that are consumed from the change to their expiry, whether or not they were consumed before. */
  readonly mark?: readonly Nonce[];
  /** The id of the sync factor token that the change uses. It must be issued, unexpired, not redeemed, and of this backup. */
  readonly redeem?: string;
  /** A sync factor token to issue. Its id must be new. */
  readonly issue?: SyncFactorToken;
}

/**
 * Why a commit changed nothing. `consumed`: a nonce or the sync factor token was not usable. `exists`: the record was to
 * be absent. `revision`: the record has another revision or is gone. `factor-claimed`: an index row
 * to claim is taken. Where several apply, the first of this order is returned.
 */
export type Conflict = "consumed" | "exists" | "revision" | "factor-claimed";

/** A successful {@link RecordStore.consume}. */
export interface Consumption {
  /**
   * Releases what this one call consumed, and the sync factor token that it issued unless that was redeemed: for an
   * operation that then could not be carried out. What was consumed by another call is left alone, also when it is the
   * same nonce. A repeated call has no further effect. Nothing else releases nonces: a success must not be repeatable.
   */
  release(): Promise<void>;
}

/** Everything that changes: records, index rows, nonces. The head of this file says what all methods promise. */
export interface RecordStore extends AsyncDisposable {
  /**
   * Finds the backup that a factor leads to, and whether one of the nonces was consumed before, in one round trip. Each
   * answer is strongly consistent, but the two may be of different instants: a commit that consumes a nonce and releases
   * the factor can fall between.
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
   * Applies a change, all of it or nothing, and durably. An outcome is never guessed: if it cannot be learnt, the call
   * throws.
   *
   * @throws NotCommitted when the change certainly was not made, as with a full disk, or when it comes too late: long
   *   after {@link Change.newBlobSince}, or after the expiry of a nonce to consume. {@link ChangeRefused} when no
   *   repetition helps.
   */
  commit(change: Change): Promise<"committed" | Conflict>;

  /**
   * Consumes nonces for an operation that changes nothing else, and may issue a sync factor token in the same atomic
   * write. `null`: one of them was consumed before, and nothing was written. Throws when a token of that id is there
   * already, and {@link NotCommitted} when a nonce has expired.
   */
  consume(nonces: readonly Nonce[], issue?: SyncFactorToken): Promise<Consumption | null>;

  /** Reads a sync factor token by its id; `null` when it was never issued or has expired. */
  readToken(
    id: string,
  ): Promise<{ readonly backupId: string; readonly holder: string; readonly redeemed: boolean } | null>;

  /**
   * Adds to a counter and returns its sum afterwards; one that is not there counts from 0. It is kept until
   * `expiresAtMs`, and an id is never used with another expiry. Atomic, but an addition whose answer was lost may be
   * counted twice.
   */
  addToCounter(id: string, amount: number, expiresAtMs: number): Promise<number>;

  /** Resolves when the store answers and is set up; otherwise throws what is wrong. Changes nothing. */
  ready(): Promise<void>;

  /** Resolves when the store takes a write: it makes one, durably, that no other method shows. Otherwise throws. */
  writable(): Promise<void>;
}

/** A ciphertext in pieces of any size. */
export type Content = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** The ciphertexts: immutable, under fresh names. See the head of this file for what all methods promise. */
export interface BlobStore extends AsyncDisposable {
  /**
   * Stores a ciphertext under a fresh name, durably. When `content` fails, nothing is left behind. However large it is,
   * only a few pieces of it are in memory at a time.
   *
   * @param client the address it is for: where large transfers wait for each other, clients are served in turn.
   */
  put(backupId: string, content: Content, client?: string): Promise<BlobRef>;

  /**
   * Opens a ciphertext; `null` when there is none of that name. Size and hash are checked: either this throws
   * {@link BlobDamaged} and serves nothing, or the whole is sound. The stream must be read or cancelled.
   *
   * @param client as for {@link put}.
   */
  get(ref: BlobRef, client?: string): Promise<ReadableStream<Uint8Array> | null>;

  /** Deletes a ciphertext; one that is already gone is no error. */
  delete(key: string): Promise<void>;

  /** How many bytes there is room for besides what is stored; `null` where there always is. */
  freeBytes(): Promise<number | null>;

  /** As {@link RecordStore.ready}. */
  ready(): Promise<void>;

  /** As {@link RecordStore.writable}. */
  writable(): Promise<void>;
}

/** The store could not be reached, or the outcome is unknown. The answer asks the client to try again. */
export class StorageUnavailable extends ServiceError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("service_unavailable", message, options);
    this.name = "StorageUnavailable";
  }
}

/** Nothing was changed, and will not be by this call. The same change may succeed later. */
export class NotCommitted extends StorageUnavailable {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "NotCommitted";
  }
}

/** Nothing was changed, and the same change never will be: the store does not take what is in it. */
export class ChangeRefused extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "ChangeRefused";
  }
}

/** Whether a commit that threw this certainly changed nothing. Where that is not known its blob may be in use. */
export function isUnchanged(error: unknown): boolean {
  return error instanceof NotCommitted || error instanceof ChangeRefused;
}

/** A stored ciphertext is not what was put: wrong size or wrong hash. */
export class BlobDamaged extends Error {
  constructor(key: string, found: string) {
    super(`blob ${key} is damaged: ${found}`);
    this.name = "BlobDamaged";
  }
}
