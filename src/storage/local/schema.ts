/**
 * The tables of the embedded driver, for the query builder. Their DDL is in migrations.ts. A column without a name has that
 * of its member.
 */
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { BlobRef, FactorRef } from "../contract.ts";

/** One row per backup: its metadata and its current blob. */
export const backups = sqliteTable("backups", {
  backupId: text("backup_id").primaryKey(),
  revision: text().notNull(),
  blobKey: text("blob_key").notNull(),
  blobSize: integer("blob_size").notNull(),
  blobSha256: text("blob_sha256").notNull(),
  /** JSON. */
  metadata: text().notNull(),
  /** JSON, an array. */
  versions: text().notNull(),
  updatedAtMs: integer("updated_at_ms").notNull(),
});

/** One row per factor: the backup it leads to. */
export const factorIndex = sqliteTable("factor_index", {
  scope: text().$type<FactorRef["scope"]>().notNull(),
  factorKey: text("factor_key").notNull(),
  backupId: text("backup_id").notNull(),
  createdAtMs: integer("created_at_ms").notNull(),
});

/** One row per consumed nonce and per sync factor token, until its expiry. */
export const oneTime = sqliteTable("one_time", {
  id: text().primaryKey(),
  expiresAtMs: integer("expires_at_ms").notNull(),
  spent: integer({ mode: "boolean" }).notNull(),
  /** The backup of a sync factor token; null for a nonce. */
  backupId: text("backup_id"),
  /** The main factor that a sync factor token was issued to; null for a nonce. */
  holder: text(),
});

/** One row per counter in use. */
export const counters = sqliteTable("counters", {
  id: text().primaryKey(),
  expiresAtMs: integer("expires_at_ms").notNull(),
  total: integer().notNull(),
});

/** What the sweep needs of the events of logs. */
export const events = sqliteTable("events", {
  id: text().primaryKey(),
  expiresAtMs: integer("expires_at_ms").notNull(),
});

/** The current blob of a row. */
export function blobOf(row: { blobKey: string; blobSize: number; blobSha256: string }): BlobRef {
  return { key: row.blobKey, size: row.blobSize, sha256: row.blobSha256 };
}
