/**
 * The stores of the other backup service, from which users move in and to which they can move out. Metadata and
 * ciphertexts are objects of one bucket, the index of factors is one table; nothing holds the three together, so each
 * may lack what another names. The rules at the head of contract.ts about outages and what is missing hold here too.
 */
import type { Content, FactorRef } from "./contract.ts";

/** What there is of one backup, by the names of its objects. */
export interface LegacyPlace {
  readonly backupId: string;
  readonly hasMetadata: boolean;
  /** When its metadata were written, by the clock of the store; `null` where that is not known. */
  readonly modifiedAtMs: number | null;
  /** Bytes of all its ciphertexts, current or left behind; `null` when there is none. */
  readonly ciphertextBytes: number | null;
}

/** A row of the table of factors. Rows may be stale: only metadata says which factors a backup has. */
export interface LegacyRow {
  readonly backupId: string;
  /** Seconds since the epoch; `null` where the row does not say. */
  readonly lastUsedAt: number | null;
}

/** Reads the stores of the other service; writes nothing. */
export interface LegacySource extends AsyncDisposable {
  /** Resolves when bucket and table respond. @throws StorageUnavailable */
  ready(): Promise<void>;

  /** Every backup, in the order of the ids. Memory holds a page of them. */
  list(): AsyncIterable<LegacyPlace>;

  /** The metadata as it is stored, a JSON text. @throws LegacyTooLarge; LegacyArchived; LegacyNoText */
  metadata(backupId: string): Promise<string | null>;

  /**
   * A ciphertext, which is at most {@link MAX_LEGACY_BYTES}.
   *
   * @param archiveId as the metadata has it; `null` where it has none.
   * @throws LegacyTooLarge; LegacyArchived
   */
  ciphertext(backupId: string, archiveId: string | null): Promise<Uint8Array | null>;

  /**
   * As {@link ciphertext}, in pieces, a few of them in memory at a time. They are of one object from beginning to end: where
   * it is replaced or deleted meanwhile, they fail with {@link StorageUnavailable}; and with {@link LegacyArchived}. Nothing
   * is open before they are read.
   */
  ciphertextPieces(backupId: string, archiveId: string | null): Promise<Content | null>;

  /** The rows of these factors, by {@link legacyRowKey}. Those that are not there are left out. */
  rows(factors: readonly FactorRef[]): Promise<ReadonlyMap<string, LegacyRow>>;
}

/** Writes the stores of the other service. Every write is durable and may be repeated. */
export interface LegacyTarget extends LegacySource {
  putCiphertext(backupId: string, archiveId: string, content: Uint8Array): Promise<void>;

  /**
   * Adds the row of a factor or replaces the one that leads to the same backup.
   *
   * @param factor one that {@link mayHaveLegacyRow}.
   * @returns `false` when the row leads to another backup; then nothing is written.
   */
  putRow(
    factor: FactorRef,
    row: LegacyRow & { /** Milliseconds since the epoch. */ readonly createdAtMs: number },
  ): Promise<boolean>;

  putMetadata(backupId: string, metadata: string): Promise<void>;
}

/** More than either service accepts as a backup: such an object is none, and is not read. */
export const MAX_LEGACY_BYTES = 32 * 2 ** 20;

/** An object that cannot be read as what its name says. Others can. */
export abstract class LegacyUnusable extends Error {}

/** An object that is too large to be a ciphertext or metadata. */
export class LegacyTooLarge extends LegacyUnusable {
  constructor(bytes: number) {
    super(`an object of ${bytes} bytes is too large to be of a backup`);
    this.name = "LegacyTooLarge";
  }
}

/** An object in a storage class from which S3 reads it only after a restore. */
export class LegacyArchived extends LegacyUnusable {
  constructor() {
    super("an object was moved to an archive of S3: restore it there");
    this.name = "LegacyArchived";
  }
}

/** Metadata that are not UTF-8. */
export class LegacyNoText extends LegacyUnusable {
  constructor() {
    super("the metadata is not UTF-8");
    this.name = "LegacyNoText";
  }
}

/** The key of a factor in the table. */
export function legacyRowKey({ scope, key }: FactorRef): string {
  return `${scope}#${key}`;
}

/** DynamoDB takes no longer keys, in UTF-8. */
const MAX_ROW_KEY_BYTES = 2048;

/** Whether the table can have a row of a factor. */
export function mayHaveLegacyRow(factor: FactorRef): boolean {
  const key = legacyRowKey(factor);
  return key.isWellFormed() && Buffer.byteLength(key) <= MAX_ROW_KEY_BYTES;
}

/** The name of the object with the metadata of a backup. */
export function legacyMetadataKey(backupId: string): string {
  return `${backupId}/metadata`;
}

/** The name of the object with a ciphertext: an archive, or of older backups the only one. */
export function legacyCiphertextKey(backupId: string, archiveId: string | null): string {
  return archiveId === null ? `${backupId}/backup` : `${backupId}/backups/${archiveId}`;
}
