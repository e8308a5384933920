import { and, eq, gt, sql } from "drizzle-orm";
import type { BunSQLiteDatabase } from "drizzle-orm/bun-sqlite";
import { backups, factorIndex, oneTime } from "./schema.ts";

export type Statements = ReturnType<typeof prepareStatements>;

/** Statements of the hot path, compiled once. */
export function prepareStatements(db: BunSQLiteDatabase) {
  const backupId = sql.placeholder("backupId");
  const id = sql.placeholder("id");
  const live = gt(oneTime.expiresAtMs, sql.placeholder("nowMs"));
  return {
    locate: db
      .select({ backupId: factorIndex.backupId })
      .from(factorIndex)
      .where(
        and(
          eq(factorIndex.scope, sql.placeholder("scope")),
          eq(factorIndex.factorKey, sql.placeholder("key")),
        ),
      )
      .prepare(),
    read: db.select().from(backups).where(eq(backups.backupId, backupId)).prepare(),
    revision: db
      .select({ revision: backups.revision })
      .from(backups)
      .where(eq(backups.backupId, backupId))
      .prepare(),
    oneTime: db
      .select({ spent: oneTime.spent, backupId: oneTime.backupId, holder: oneTime.holder })
      .from(oneTime)
      .where(and(eq(oneTime.id, id), live))
      .prepare(),
  };
}
