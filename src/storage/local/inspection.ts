/** Queries that only look over everything, beside those of the requests in records.ts. */
import { count, gt, lte, type SQL, sql } from "drizzle-orm";
import type { BunSQLiteDatabase } from "drizzle-orm/bun-sqlite";
import type { FactorRef } from "../contract.ts";
import type { ListedRecord } from "../inspection.ts";
import { backups, counters, factorIndex, oneTime } from "./schema.ts";

export interface IndexEntry {
  readonly factor: FactorRef;
  readonly backupId: string;
}

/** The records that come after the one of the backup `after`, at most `limit`. */
export function recordPage(db: BunSQLiteDatabase, after: string, limit: number): ListedRecord[] {
  const { backupId, blobKey, blobSize, blobSha256, updatedAtMs } = backups;
  return db
    .select({ backupId, blobKey, blobSize, blobSha256, updatedAtMs }) // metadata is most of a row
    .from(backups)
    .where(gt(backupId, after))
    .orderBy(backupId)
    .limit(limit)
    .all()
    .map((row) => ({
      backupId: row.backupId,
      blob: { key: row.blobKey, size: row.blobSize, sha256: row.blobSha256 },
      changedAtMs: row.updatedAtMs,
    }));
}

/** The index rows that come after `after`, at most `limit`. */
export function indexPage(db: BunSQLiteDatabase, after: FactorRef | null, limit: number): IndexEntry[] {
  const { scope, factorKey } = factorIndex;
  const beyond: SQL | undefined =
    after === null ? undefined : sql`(${scope}, ${factorKey}) > (${after.scope}, ${after.key})`;
  return db
    .select()
    .from(factorIndex)
    .where(beyond)
    .orderBy(scope, factorKey)
    .limit(limit)
    .all()
    .map((row) => ({
      factor: { scope: row.scope, key: row.factorKey, stored: true },
      backupId: row.backupId,
    }));
}

/** How many rows have expired. */
export function countExpired(db: BunSQLiteDatabase, nowMs: number): number {
  const expired = (table: typeof oneTime | typeof counters) =>
    db.select({ rows: count() }).from(table).where(lte(table.expiresAtMs, nowMs)).get()?.rows ?? 0;
  return expired(oneTime) + expired(counters);
}
