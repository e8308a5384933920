/** The events on their way to a webhook, in the table `outbox`. */
import type { Database } from "bun:sqlite";
import type { Clock } from "../../runtime/clock.ts";
import type { NewEvent } from "../contract.ts";
import type { Outbox, QueuedEvent } from "../outbox.ts";
import { eventOf } from "./events.ts";
import type { GroupCommit } from "./group-commit.ts";
import { query } from "./outage.ts";

/** Up to this many are counted. */
const MAX_COUNTED = 10_000;

interface Row {
  readonly id: string;
  readonly due_ms: number;
  /** How often it was claimed: tells one attempt from another. */
  readonly attempts: number;
  readonly backup_id: string;
  readonly at_ms: number;
  readonly body: string;
}

export class LocalOutbox implements Outbox {
  readonly #database: Database;
  readonly #writes: GroupCommit;
  readonly #clock: Clock;

  constructor(database: Database, writes: GroupCommit, clock: Clock) {
    this.#database = database;
    this.#writes = writes;
    this.#clock = clock;
  }

  /** Queues events that are to be delivered; inside the transaction of a change. */
  add(events: readonly NewEvent[]): void {
    for (const { id, deliverFromMs: dueMs, backupId, atMs, body } of events)
      if (dueMs !== null)
        this.#database
          .query("INSERT INTO outbox VALUES ($id, $dueMs, 0, $backupId, $atMs, $body)")
          .run({ id, dueMs, backupId, atMs, body: JSON.stringify(body) });
  }

  /** As `EventLogs.remove`, unless an event was claimed; inside a transaction. */
  remove(events: readonly NewEvent[]): void {
    for (const { id } of events)
      this.#database.query("DELETE FROM outbox WHERE id = ? AND attempts = 0").run(id);
  }

  async due(limit: number): Promise<readonly QueuedEvent[]> {
    return query(() =>
      this.#database
        .query<Row, { nowMs: number; limit: number }>(
          "SELECT * FROM outbox WHERE due_ms <= $nowMs ORDER BY due_ms, id LIMIT $limit",
        )
        .all({ nowMs: this.#clock.nowMs(), limit })
        .map(queuedOf),
    );
  }

  claim({ event: { id }, attempts }: QueuedEvent, nextAttemptAtMs: number): Promise<QueuedEvent | null> {
    return this.#writes.add(() => {
      const claimed = this.#database
        .query<Row, { id: string; attempts: number; nextAttemptAtMs: number }>(
          `UPDATE outbox SET attempts = attempts + 1, due_ms = $nextAttemptAtMs
           WHERE id = $id AND attempts = $attempts RETURNING *`,
        )
        .get({ id, attempts, nextAttemptAtMs });
      return claimed && queuedOf(claimed);
    });
  }

  settle({ event: { id }, attempts }: QueuedEvent): Promise<void> {
    return this.#writes.add(() => {
      this.#database
        .query("DELETE FROM outbox WHERE id = $id AND attempts = $attempts")
        .run({ id, attempts });
    });
  }

  async backlog() {
    return query(() => {
      const counted = this.#database
        .query<{ waiting: number }, []>(
          `SELECT count(*) AS waiting FROM (SELECT 1 FROM outbox LIMIT ${MAX_COUNTED})`,
        )
        .get();
      const oldest = this.#database
        .query<{ atMs: number }, []>("SELECT at_ms AS atMs FROM outbox ORDER BY id LIMIT 1")
        .get();
      return { waiting: counted?.waiting ?? 0, oldestMs: oldest?.atMs ?? null };
    });
  }
}

function queuedOf(row: Row): QueuedEvent {
  return { event: eventOf(row), attempts: row.attempts, dueMs: row.due_ms };
}
