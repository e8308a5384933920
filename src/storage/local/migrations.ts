import type { Database } from "bun:sqlite";
import { version } from "../../runtime/version.ts";
import { NewerFormat } from "../errors.ts";
import { markAsCopy, markMigratedBy, migratedByOf } from "./marks.ts";

/**
 * The steps from an empty file to the current schema, oldest first. A released step is never edited: a change is a new
 * step. `PRAGMA user_version` is the number of steps that were applied to a file.
 */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE backups (
    backup_id TEXT NOT NULL PRIMARY KEY,
    revision TEXT NOT NULL,
    blob_key TEXT NOT NULL,
    blob_size INTEGER NOT NULL,
    blob_sha256 TEXT NOT NULL,
    metadata TEXT NOT NULL,
    updated_at_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE factor_index (
    scope TEXT NOT NULL CHECK (scope IN ('MAIN', 'SYNC')),
    factor_key TEXT NOT NULL,
    backup_id TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    PRIMARY KEY (scope, factor_key)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE one_time (
    id TEXT NOT NULL PRIMARY KEY,
    expires_at_ms INTEGER NOT NULL,
    spent INTEGER NOT NULL CHECK (spent IN (0, 1)),
    backup_id TEXT,
    holder TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX one_time_by_expiry ON one_time (expires_at_ms);

  CREATE TABLE counters (
    id TEXT NOT NULL PRIMARY KEY,
    expires_at_ms INTEGER NOT NULL,
    total INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX counters_by_expiry ON counters (expires_at_ms);
  `,
  `
  CREATE TABLE marks (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE restores (
    copied_at_ms INTEGER NOT NULL,
    restored_at_ms INTEGER NOT NULL
  ) STRICT;
  `,
  `
  ALTER TABLE backups ADD COLUMN versions TEXT NOT NULL DEFAULT '[]';

  CREATE TABLE deleted_backups (
    backup_id TEXT NOT NULL,
    deleted_at_ms INTEGER NOT NULL,
    deletion_id TEXT NOT NULL,
    keep_until_ms INTEGER NOT NULL,
    deleted_by TEXT,
    log_id TEXT,
    blob_key TEXT NOT NULL,
    blob_size INTEGER NOT NULL,
    blob_sha256 TEXT NOT NULL,
    versions TEXT NOT NULL,
    metadata TEXT NOT NULL,
    PRIMARY KEY (backup_id, deleted_at_ms, deletion_id)
  ) STRICT;

  CREATE TABLE collections (
    id TEXT NOT NULL PRIMARY KEY,
    due_ms INTEGER NOT NULL,
    backup_id TEXT NOT NULL,
    deleted_at_ms INTEGER,
    deletion_id TEXT,
    blobs TEXT,
    log_ids TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX collections_by_due ON collections (due_ms);

  CREATE TABLE events (
    id TEXT NOT NULL PRIMARY KEY,
    log_id TEXT NOT NULL,
    backup_id TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX events_by_log ON events (log_id, id);
  CREATE INDEX events_by_expiry ON events (expires_at_ms);

  CREATE TABLE outbox (
    id TEXT NOT NULL PRIMARY KEY,
    due_ms INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    backup_id TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    body TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX outbox_by_due ON outbox (due_ms);
  `,
];

/** Databases of earlier schemas have no marks. */
export const FIRST_MARKED_SCHEMA = 2;

/** Databases of earlier schemas have no versions and no states of deleted backups. */
export const FIRST_SCHEMA_WITH_HISTORY = 3;

/**
 * Requires that the schema of a database is of this version of the service or of an earlier one.
 *
 * @throws NewerFormat
 */
export function requireKnownSchema(database: Database): void {
  const [applied, known] = [schemaVersion(database), MIGRATIONS.length];
  if (applied > known)
    throw new NewerFormat("the database", { version: applied, known }, migratedByOf(database));
}

/**
 * Brings a database to the current schema, in one write transaction, so that several processes may do so concurrently.
 *
 * @param isInCopy whether its folder is marked as a copy. Copies of early versions have no mark in the database.
 * @throws NewerFormat
 */
export function migrate(database: Database, isInCopy = false): void {
  const run = database.transaction(() => {
    requireKnownSchema(database);
    const applied = schemaVersion(database);
    for (const step of MIGRATIONS.slice(applied)) database.run(step);
    if (isInCopy && applied > 0 && applied < FIRST_MARKED_SCHEMA)
      markAsCopy(database, youngestChangeMs(database), 0);
    markMigratedBy(database, version);
    database.run(`PRAGMA user_version = ${MIGRATIONS.length}`);
  });
  if (schemaVersion(database) !== MIGRATIONS.length) run.immediate();
}

/** How many steps were applied to a database. */
export function schemaVersion(database: Database): number {
  return database.query<{ user_version: number }, []>("PRAGMA user_version").get()?.user_version ?? 0;
}

/** A copy is at least as young as its youngest record. */
function youngestChangeMs(database: Database): number {
  const query = "SELECT max(updated_at_ms) AS youngestMs FROM backups";
  return database.query<{ youngestMs: number | null }, []>(query).get()?.youngestMs ?? 0;
}
