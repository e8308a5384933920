/** Finds the backup of a factor through the index. Only the metadata of the backup authorises. */
import { ServiceError } from "../errors.ts";
import type { ShownCounter } from "../proofs/passkey/signature-counter.ts";
import { isBackupId } from "../protocol/backup.ts";
import type { Nonce } from "../runtime/nonce.ts";
import type { BlobRef, FactorRef, RecordStore, StoredVersion } from "../storage/contract.ts";
import { type BackupMetadata, lists, readMetadata } from "./model.ts";
import { alreadyUsed, fail, unauthorized, untraceable } from "./outcomes.ts";

/** A factor whose proof was verified, and the nonces of the proof. */
export interface Proven {
  readonly factor: FactorRef;
  readonly nonces: readonly Nonce[];
  /** When the challenge was issued, by the clock of the process that did. */
  readonly challengedAtMs: number;
  /** For a passkey: the backup of its credential, whether a nonce was consumed by then, and the counter to store. */
  readonly passkey?: {
    readonly backup: StoredBackup;
    readonly consumed: boolean;
    readonly shown: ShownCounter;
  };
}

/** A backup as it was read. */
export interface StoredBackup {
  readonly backupId: string;
  readonly revision: string;
  readonly blob: BlobRef;
  readonly metadata: BackupMetadata;
  /** Newest first. */
  readonly versions: readonly StoredVersion[];
  /** As in {@link StoredRecord}. */
  readonly changedAtMs: number | null;
}

/** Finds and reads backups; changes nothing. */
export interface Access {
  /**
   * The backup of a factor. The backup of a passkey was read before, for the public key.
   *
   * @throws ServiceError as {@link find} and {@link open}.
   */
  authorise(by: Proven): Promise<StoredBackup>;

  /**
   * The id of the backup that a factor leads to.
   *
   * @throws ServiceError as {@link locate}; `backup_untraceable`.
   */
  find(by: Proven): Promise<string>;

  /**
   * The id of the backup that a factor leads to, if any.
   *
   * @throws ServiceError `already_used`, which the same round trip shows.
   */
  locate(by: Proven): Promise<string | null>;

  /**
   * The backup, if its metadata lists the factor.
   *
   * @throws ServiceError `backup_missing`; `unauthorized_factor`.
   */
  open(backupId: string, factor: FactorRef): Promise<StoredBackup>;

  /** The backup, without authorisation; `null` when there is none. A malformed id is not looked up. */
  read(backupId: string): Promise<StoredBackup | null>;
}

export function createAccess(records: Pick<RecordStore, "locate" | "read">): Access {
  return { authorise, find, locate, open, read };

  async function authorise(by: Proven): Promise<StoredBackup> {
    if (by.passkey === undefined) return open(await find(by), by.factor);
    if (by.passkey.consumed) throw alreadyUsed();
    return by.passkey.backup;
  }

  async function find(by: Proven): Promise<string> {
    return (await locate(by)) ?? fail(untraceable());
  }

  async function locate({ factor, nonces }: Proven): Promise<string | null> {
    const { backupId, consumed } = await records.locate(factor, nonces);
    if (consumed) throw alreadyUsed();
    return backupId;
  }

  async function open(backupId: string, factor: FactorRef): Promise<StoredBackup> {
    const backup = await read(backupId);
    if (backup === null) throw new ServiceError("backup_missing", "The backup of this factor is gone");
    if (!lists(backup.metadata, factor)) throw unauthorized();
    return backup;
  }

  async function read(backupId: string): Promise<StoredBackup | null> {
    if (!isBackupId(backupId)) return null;
    const record = await records.read(backupId);
    return record && { ...record, backupId, metadata: readMetadata(record.metadata) };
  }
}
