/** The way to a backup: from a factor that proved itself over the index to the metadata, which alone authorises. */

import { ServiceError } from "../errors.ts";
import type { ShownCounter } from "../proofs/passkey/signature-counter.ts";
import { BACKUP_ACCOUNT_ID_PATTERN } from "../protocol/backup.ts";
import type { BlobRef, FactorRef, Nonce, RecordStore } from "../storage/contract.ts";
import { type BackupMetadata, lists, readMetadata } from "./model.ts";
import { alreadyUsed, fail, unauthorized, untraceable } from "./outcomes.ts";

/** What a store is asked for: a text of another form names no backup, and may be more than a store takes as a key. */
const BACKUP_ACCOUNT_ID = new RegExp(BACKUP_ACCOUNT_ID_PATTERN);

/** A factor that proved itself, and the nonces of its proof. */
export interface Proven {
  readonly factor: FactorRef;
  readonly nonces: readonly Nonce[];
  /** When the challenge was issued, by the clock of the process that did. */
  readonly challengedAtMs: number;
  /** For a passkey: where its public key was found, and the signature counter to keep. */
  readonly passkey?: { readonly entry: Entry; readonly shown: ShownCounter };
}

/** A backup that a factor leads to and that lists the factor. */
export interface Entry {
  readonly backupId: string;
  readonly revision: string;
  readonly blob: BlobRef;
  readonly metadata: BackupMetadata;
}

export type Access = ReturnType<typeof createAccess>;

/** @param records the only thing asked: finding and reading change nothing. */
export function createAccess(records: RecordStore) {
  return { locate, find, open, enter, read };

  /**
   * The backup that a factor leads to, if any.
   *
   * @throws ServiceError `already_used`, which costs nothing to find out here.
   */
  async function locate({ factor, nonces }: Pick<Proven, "factor" | "nonces">): Promise<string | null> {
    const { backupId, consumed } = await records.locate(factor, nonces);
    if (consumed) throw alreadyUsed();
    return backupId;
  }

  /**
   * The backup that a factor leads to.
   *
   * @throws ServiceError as {@link locate}; `backup_untraceable`.
   */
  async function find(by: Proven): Promise<string> {
    return (await locate(by)) ?? fail(untraceable());
  }

  /**
   * The record of a backup, if its metadata lists the factor.
   *
   * @throws ServiceError `backup_missing`; `unauthorized_factor`.
   */
  async function open(backupId: string, factor: FactorRef): Promise<Entry> {
    const entry = await read(backupId);
    if (entry === null) throw new ServiceError("backup_missing", "The backup of this factor is gone");
    if (!lists(entry.metadata, factor)) throw unauthorized();
    return entry;
  }

  /**
   * The backup of a factor that proved itself. A passkey's was read already, for its public key.
   *
   * @throws ServiceError as {@link find} and {@link open}.
   */
  async function enter(by: Proven): Promise<Entry> {
    if (by.passkey !== undefined) return by.passkey.entry;
    return open(await find(by), by.factor);
  }

  /** The record of a backup, without authorisation; `null` when there is none. A malformed id is not looked up. */
  async function read(backupId: string): Promise<Entry | null> {
    if (!BACKUP_ACCOUNT_ID.test(backupId)) return null;
    const record = await records.read(backupId);
    return record && { ...record, backupId, metadata: readMetadata(record.metadata) };
  }
}
