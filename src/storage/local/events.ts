/** The logs of backups, in the table `events`. Writes are made inside a transaction. */
import type { Database } from "bun:sqlite";
import { MAX_EVENTS, type NewEvent, type StoredEvent } from "../contract.ts";

interface Row {
  readonly id: string;
  readonly backup_id: string;
  readonly at_ms: number;
  /** JSON. */
  readonly body: string;
}

/** After every id. */
const END = "~";

export class EventLogs {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Appends events to their logs, and deletes the oldest of a log that has too many. */
  append(events: readonly NewEvent[]): void {
    const logIds = new Set<string>();
    for (const { id, logId, backupId, atMs, expiresAtMs, body } of events)
      if (logId !== null) {
        this.#database
          .query("INSERT INTO events VALUES ($id, $logId, $backupId, $atMs, $expiresAtMs, $body)")
          .run({ id, logId, backupId, atMs, expiresAtMs, body: JSON.stringify(body) });
        logIds.add(logId);
      }
    for (const logId of logIds)
      this.#database
        .query(
          `DELETE FROM events WHERE log_id = $logId AND id <=
           (SELECT id FROM events WHERE log_id = $logId ORDER BY id DESC LIMIT 1 OFFSET ${MAX_EVENTS})`,
        )
        .run({ logId });
  }

  /** Removes the events of an operation that failed after they were stored. */
  remove(events: readonly NewEvent[]): void {
    for (const { id } of events) this.#database.query("DELETE FROM events WHERE id = ?").run(id);
  }

  delete(logId: string): void {
    this.#database.query("DELETE FROM events WHERE log_id = ?").run(logId);
  }

  /** As {@link RecordStore.readEvents}. */
  read(logId: string, page: { readonly before: string | null; readonly limit: number }, nowMs: number) {
    const rows = this.#database
      .query<Row, { logId: string; before: string; nowMs: number; limit: number }>(
        `SELECT id, backup_id, at_ms, body FROM events
         WHERE log_id = $logId AND id < $before AND expires_at_ms > $nowMs ORDER BY id DESC LIMIT $limit`,
      )
      .all({ logId, before: page.before ?? END, nowMs, limit: page.limit + 1 });
    const events = rows.slice(0, page.limit).map(eventOf);
    return { events, next: rows.length > page.limit ? (events.at(-1)?.id ?? null) : null };
  }
}

/** An event as the tables `events` and `outbox` have it. */
export function eventOf(row: Row): StoredEvent {
  return { id: row.id, backupId: row.backup_id, atMs: row.at_ms, body: JSON.parse(row.body) };
}
