/** Deleted states, in the table `deleted_backups`. Writes are made inside a transaction. */
import type { Database } from "bun:sqlite";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type BlobRef, blobsOf, type Change, type DeletedBackup, type DeletionRef } from "../contract.ts";
import type { ListedDeletion } from "../inspection.ts";
import { query } from "./outage.ts";
import { blobOf } from "./schema.ts";

const READ_PAGE = 20;
const LIST_PAGE = 500;

interface Row {
  readonly backup_id: string;
  readonly deleted_at_ms: number;
  readonly deletion_id: string;
  readonly keep_until_ms: number;
  readonly deleted_by: string | null;
  readonly log_id: string | null;
  readonly blob_key: string;
  readonly blob_size: number;
  readonly blob_sha256: string;
  readonly versions: string;
  readonly metadata: string;
}

type Key = [backupId: string, deletedAtMs: number, deletionId: string];

const WHERE_KEY = "backup_id = ? AND deleted_at_ms = ? AND deletion_id = ?";

export class DeletedStates {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Adds and removes the deleted states of a change. */
  change({ backupId, setAside, bringBack, forget = [] }: Change): void {
    if (setAside !== undefined) this.#add(backupId, setAside);
    for (const ref of forget) this.remove(backupId, ref);
    if (bringBack !== undefined) this.remove(backupId, bringBack);
  }

  #add(backupId: string, { blob, versions, metadata, ...state }: DeletedBackup): void {
    const { deletionId, deletedAtMs, keepUntilMs, deletedBy, logId } = state;
    this.#database
      .query(
        `INSERT INTO deleted_backups VALUES ($backupId, $deletedAtMs, $deletionId, $keepUntilMs, $deletedBy, $logId,
           $blobKey, $blobSize, $blobSha256, $versions, $metadata)`,
      )
      .run({
        backupId,
        deletedAtMs,
        deletionId,
        keepUntilMs,
        deletedBy,
        logId,
        blobKey: blob.key,
        blobSize: blob.size,
        blobSha256: blob.sha256,
        versions: JSON.stringify(versions),
        metadata: JSON.stringify(metadata),
      });
  }

  /** Whether a change names a state that is not kept, or is to bring back one whose time is over. */
  lacksOneOf({ backupId, bringBack, forget = [] }: Change, nowMs: number): boolean {
    const untilMs = (ref: DeletionRef) =>
      this.#database
        .query<{ keepUntilMs: number }, Key>(
          `SELECT keep_until_ms AS keepUntilMs FROM deleted_backups WHERE ${WHERE_KEY}`,
        )
        .get(backupId, ref.deletedAtMs, ref.deletionId)?.keepUntilMs;
    return (
      (bringBack !== undefined && (untilMs(bringBack) ?? 0) <= nowMs) ||
      forget.some((ref) => untilMs(ref) === undefined)
    );
  }

  /** Removes a state; returns the blobs that it refers to, `null` when it is not kept. */
  remove(backupId: string, ref: DeletionRef): readonly BlobRef[] | null {
    const removed = this.#database
      .query<Row, Key>(`DELETE FROM deleted_backups WHERE ${WHERE_KEY} RETURNING *`)
      .get(backupId, ref.deletedAtMs, ref.deletionId);
    return removed && blobsOfRow(removed);
  }

  /** As {@link RecordStore.readDeleted}. */
  read(backupId: string, nowMs: number, after: DeletionRef | undefined): DeletedBackup[] {
    const { deletedAtMs, deletionId } = after ?? { deletedAtMs: Number.MAX_SAFE_INTEGER, deletionId: "" };
    return this.#database
      .query<Row, [...Key, nowMs: number]>(
        `SELECT * FROM deleted_backups
         WHERE backup_id = ? AND (deleted_at_ms, deletion_id) < (?, ?) AND keep_until_ms > ?
         ORDER BY deleted_at_ms DESC, deletion_id DESC LIMIT ${READ_PAGE}`,
      )
      .all(backupId, deletedAtMs, deletionId, nowMs)
      .map(stateOf);
  }

  /** Every state, also those whose time is over. Other work is done between pages. */
  async *list(): AsyncGenerator<ListedDeletion> {
    const statement = this.#database.query<Omit<Row, "metadata">, Key>(
      `SELECT backup_id, deleted_at_ms, deletion_id, keep_until_ms, blob_key, blob_size, blob_sha256, versions
       FROM deleted_backups WHERE (backup_id, deleted_at_ms, deletion_id) > (?, ?, ?)
       ORDER BY backup_id, deleted_at_ms, deletion_id LIMIT ${LIST_PAGE}`,
    );
    for (let last = { backupId: "", deletedAtMs: 0, deletionId: "" }; ; await nextTurn()) {
      const page = query(() => statement.all(last.backupId, last.deletedAtMs, last.deletionId));
      for (const row of page) {
        last = { backupId: row.backup_id, deletedAtMs: row.deleted_at_ms, deletionId: row.deletion_id };
        const { backupId, ...ref } = last;
        yield { backupId, kept: { ...ref, keepUntilMs: row.keep_until_ms }, blobs: blobsOfRow(row) };
      }
      if (page.length === 0) return;
    }
  }
}

function stateOf(row: Row): DeletedBackup {
  return {
    deletionId: row.deletion_id,
    deletedAtMs: row.deleted_at_ms,
    keepUntilMs: row.keep_until_ms,
    deletedBy: row.deleted_by,
    logId: row.log_id,
    blob: blobOfRow(row),
    versions: JSON.parse(row.versions),
    metadata: JSON.parse(row.metadata),
  };
}

type BlobColumns = Pick<Row, "blob_key" | "blob_size" | "blob_sha256">;

function blobsOfRow(row: BlobColumns & Pick<Row, "versions">): readonly BlobRef[] {
  return blobsOf({ blob: blobOfRow(row), versions: JSON.parse(row.versions) });
}

function blobOfRow(row: BlobColumns): BlobRef {
  return blobOf({ blobKey: row.blob_key, blobSize: row.blob_size, blobSha256: row.blob_sha256 });
}
