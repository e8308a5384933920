/** What is to be collected, in the table `collections`: a row is made in the commit that leaves something behind. */
import type { Database } from "bun:sqlite";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock, Random } from "../../runtime/clock.ts";
import { type BlobRef, type Change, COLLECTED_AFTER_MS } from "../contract.ts";
import type { Collection, DueCollection, ListedDeletion } from "../inspection.ts";
import type { DeletedStates } from "./deleted-states.ts";
import type { EventLogs } from "./events.ts";
import type { GroupCommit } from "./group-commit.ts";
import { query } from "./outage.ts";

const LIST_PAGE = 500;

interface Row {
  readonly id: string;
  readonly due_ms: number;
  readonly backup_id: string;
  /** Of a deleted state; `null` where there is none, as after a reset. */
  readonly deleted_at_ms: number | null;
  readonly deletion_id: string | null;
  /** JSON; `null` until a deleted state is taken. */
  readonly blobs: string | null;
  /** JSON. */
  readonly log_ids: string;
}

export interface CollectionOptions {
  readonly database: Database;
  readonly writes: GroupCommit;
  readonly states: DeletedStates;
  readonly logs: EventLogs;
  readonly clock: Clock;
  readonly random: Random;
}

export class LocalCollection implements Collection {
  readonly #options: CollectionOptions;

  constructor(options: CollectionOptions) {
    this.#options = options;
  }

  /** Adds the rows of a change; inside its transaction. */
  add({ backupId, setAside, collect }: Change): void {
    if (setAside !== undefined) {
      const { deletedAtMs, deletionId, keepUntilMs, logId } = setAside;
      const logIds = logId === null ? [] : [logId];
      const dueMs = keepUntilMs + COLLECTED_AFTER_MS;
      this.#insert({ dueMs, backupId, deletedAtMs, deletionId, blobs: null, logIds: JSON.stringify(logIds) });
    }
    if (collect !== undefined) {
      const [blobs, logIds] = [JSON.stringify(collect.blobs), JSON.stringify(collect.logIds)];
      const dueMs = collect.notBeforeMs ?? this.#options.clock.nowMs();
      this.#insert({ dueMs, backupId, deletedAtMs: null, deletionId: null, blobs, logIds });
    }
  }

  /** Always granted: all processes are on this machine, where a query costs little. */
  async lease(): Promise<boolean> {
    return true;
  }

  async due(limit: number): Promise<readonly DueCollection[]> {
    const { database, clock } = this.#options;
    return query(() =>
      database
        .query<DueCollection, { nowMs: number; limit: number }>(
          `SELECT id, backup_id AS backupId, due_ms AS dueMs FROM collections
           WHERE due_ms <= $nowMs ORDER BY due_ms, id LIMIT $limit`,
        )
        .all({ nowMs: clock.nowMs(), limit }),
    );
  }

  take({ id }: DueCollection): Promise<readonly BlobRef[]> {
    const { database, writes, states, logs } = this.#options;
    return writes.add(() => {
      const row = database.query<Row, [string]>("SELECT * FROM collections WHERE id = ?").get(id);
      if (row === null) return [];
      const { deletion_id: deletionId, deleted_at_ms: deletedAtMs } = row;
      let blobs: readonly BlobRef[] | null = row.blobs === null ? null : JSON.parse(row.blobs);
      if (blobs === null && deletionId !== null && deletedAtMs !== null) {
        blobs = states.remove(row.backup_id, { deletionId, deletedAtMs });
        const taken = JSON.stringify(blobs);
        if (blobs !== null) database.query("UPDATE collections SET blobs = ? WHERE id = ?").run(taken, id);
      }
      if (blobs === null) return []; // its log is in use, or in the row of another change
      const logIds: readonly string[] = JSON.parse(row.log_ids);
      for (const logId of logIds) logs.delete(logId);
      return blobs;
    });
  }

  settle({ id }: DueCollection): Promise<void> {
    const { database, writes } = this.#options;
    return writes.add(() => {
      database.query("DELETE FROM collections WHERE id = ?").run(id);
    });
  }

  /** The blobs that are to be deleted. Other work is done between pages. */
  async *list(): AsyncGenerator<ListedDeletion> {
    const { database } = this.#options;
    const statement = database.query<Pick<Row, "id" | "backup_id"> & { blobs: string }, [string]>(
      `SELECT id, backup_id, blobs FROM collections WHERE blobs IS NOT NULL AND id > ? ORDER BY id LIMIT ${LIST_PAGE}`,
    );
    for (let last = ""; ; await nextTurn()) {
      const page = query(() => statement.all(last));
      for (const { id, backup_id: backupId, blobs } of page) {
        last = id;
        yield { backupId, kept: null, blobs: JSON.parse(blobs) };
      }
      if (page.length === 0) return;
    }
  }

  #insert(row: {
    dueMs: number;
    backupId: string;
    deletedAtMs: number | null;
    deletionId: string | null;
    blobs: string | null;
    logIds: string;
  }): void {
    const { database, random } = this.#options;
    database
      .query(
        "INSERT INTO collections VALUES ($id, $dueMs, $backupId, $deletedAtMs, $deletionId, $blobs, $logIds)",
      )
      .run({ id: random.uuid(), ...row });
  }
}
