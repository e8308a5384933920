/**
 * The marks in a database of the embedded driver: its installation, whether it is a copy, and when it was restored.
 */
import type { Database } from "bun:sqlite";
import { COLLECTED_AFTER_MS } from "../contract.ts";
import type { Restore } from "../inspection.ts";

const INSTALLATION = "installation-id";
const LAST_SEEN_MS = "last-seen-ms";
/** Only in a copy that no service has opened since: the time of its snapshot. */
const COPIED_AT_MS = "copied-at-ms";
/** The version of the service that brought the database to its schema. Versions up to 0.1.0 did not write it. */
const MIGRATED_BY = "migrated-by";
/** Only in a copy: which share of its ciphertexts the next update verifies. */
const NEXT_SHARE = "next-share";

export function installationIdOf(database: Database): string | null {
  return markOf(database, INSTALLATION);
}

/** Marks the database unless it has a mark; returns its mark. */
export function markInstallation(database: Database, id: string): string {
  database.query("INSERT OR IGNORE INTO marks VALUES (?, ?)").run(INSTALLATION, id);
  return installationIdOf(database) ?? id;
}

export function migratedByOf(database: Database): string | null {
  return markOf(database, MIGRATED_BY);
}

export function markMigratedBy(database: Database, version: string): void {
  database.query("INSERT OR REPLACE INTO marks VALUES (?, ?)").run(MIGRATED_BY, version);
}

export function lastSeenMsOf(database: Database): number | null {
  const value = markOf(database, LAST_SEEN_MS);
  return value === null ? null : Number(value);
}

export function markSeen(database: Database, nowMs: number): void {
  if ((lastSeenMsOf(database) ?? 0) < nowMs)
    database.query("INSERT OR REPLACE INTO marks VALUES (?, ?)").run(LAST_SEEN_MS, `${nowMs}`);
}

export function restoresOf(database: Database): Restore[] {
  return database
    .query<Restore, []>("SELECT copied_at_ms AS copiedAtMs, restored_at_ms AS restoredAtMs FROM restores")
    .all();
}

/**
 * Deletes sync factor tokens: one that was used after the copy was made would be usable again. Challenge tokens and
 * id_tokens are refused by their age.
 *
 * Keeps deleted backups longer by the time between copy and restore: an owner may have brought one back in that time, which
 * the restore undoes.
 */
export function noteRestore(database: Database, { copiedAtMs, restoredAtMs }: Restore): void {
  database.run("DELETE FROM one_time WHERE backup_id IS NOT NULL");
  const lostMs = copiedAtMs === 0 ? 0 : Math.max(0, restoredAtMs - copiedAtMs);
  database
    .query("UPDATE deleted_backups SET keep_until_ms = keep_until_ms + ? WHERE keep_until_ms > ?")
    .run(lostMs, copiedAtMs);
  database
    .query("UPDATE collections SET due_ms = due_ms + ? WHERE blobs IS NULL AND due_ms > ?")
    .run(lostMs, copiedAtMs + COLLECTED_AFTER_MS);
  database.query("INSERT INTO restores VALUES (?, ?)").run(copiedAtMs, restoredAtMs);
}

/** The time of a copy's snapshot; `null` when the database is no copy, or a service has opened it since. */
export function copiedAtMsOf(database: Database): number | null {
  const value = markOf(database, COPIED_AT_MS);
  return value === null ? null : Number(value);
}

export function nextShareOf(database: Database): number {
  return Number(markOf(database, NEXT_SHARE) ?? 0);
}

/** Marks a database as a copy. A copy of a copy keeps the time of the first one. */
export function markAsCopy(database: Database, copiedAtMs: number, nextShare: number): void {
  database.query("INSERT OR IGNORE INTO marks VALUES (?, ?)").run(COPIED_AT_MS, `${copiedAtMs}`);
  database.query("INSERT OR REPLACE INTO marks VALUES (?, ?)").run(NEXT_SHARE, `${nextShare}`);
}

/** Makes a copy the database of a service, and notes the restore. Does nothing to other databases. */
export function takeIntoService(database: Database, nowMs: number): void {
  if (copiedAtMsOf(database) === null) return;
  database
    .transaction(() => {
      const copiedAtMs = copiedAtMsOf(database);
      if (copiedAtMs === null) return; // another process was first
      database.query("DELETE FROM marks WHERE name IN (?, ?)").run(COPIED_AT_MS, NEXT_SHARE);
      noteRestore(database, { copiedAtMs, restoredAtMs: nowMs });
    })
    .immediate();
}

function markOf(database: Database, name: string): string | null {
  const query = database.query<{ value: string }, [string]>("SELECT value FROM marks WHERE name = ?");
  return query.get(name)?.value ?? null;
}
