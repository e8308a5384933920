import { and, eq, gt, sql } from "drizzle-orm";
import type { BunSQLiteDatabase } from "drizzle-orm/bun-sqlite";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import { memoise } from "../../runtime/memoise.ts";
import { backups, factorIndex, oneTime } from "./schema.ts";

export type Statements = ReturnType<typeof prepareStatements>;

/** The prepared statements of requests. Memoised: to compile a statement takes longer than to run it. */
export function prepareStatements(db: BunSQLiteDatabase) {
  const backupId = sql.placeholder("backupId");
  const id = sql.placeholder("id");
  const live = gt(oneTime.expiresAtMs, sql.placeholder("nowMs"));
  const factor = and(
    eq(factorIndex.scope, sql.placeholder("scope")),
    eq(factorIndex.factorKey, sql.placeholder("key")),
  );
  return {
    locate: memoise(() =>
      db.select({ backupId: factorIndex.backupId }).from(factorIndex).where(factor).prepare(),
    ),
    read: memoise(() => db.select().from(backups).where(eq(backups.backupId, backupId)).prepare()),
    revision: memoise(() =>
      db.select({ revision: backups.revision }).from(backups).where(eq(backups.backupId, backupId)).prepare(),
    ),
    oneTime: memoise(() =>
      db
        .select({ spent: oneTime.spent, backupId: oneTime.backupId, holder: oneTime.holder })
        .from(oneTime)
        .where(and(eq(oneTime.id, id), live))
        .prepare(),
    ),
    claim: memoise(() =>
      db
        .insert(factorIndex)
        .values({
          scope: sql.placeholder("scope"),
          factorKey: sql.placeholder("key"),
          backupId,
          createdAtMs: sql.placeholder("nowMs"),
        })
        .onConflictDoNothing() // an existing row was added by the same change, which names it twice
        .prepare(),
    ),
    release: memoise(() =>
      db
        .delete(factorIndex)
        .where(and(factor, eq(factorIndex.backupId, backupId)))
        .prepare(),
    ),
    /** An existing row has expired, or is to be replaced: all other live rows were a conflict. */
    putOneTime: memoise(() =>
      db
        .insert(oneTime)
        .values({
          id,
          expiresAtMs: sql.placeholder("expiresAtMs"),
          spent: sql.placeholder("spent"),
          backupId,
          holder: sql.placeholder("holder"),
        })
        .onConflictDoUpdate({
          target: oneTime.id,
          set: {
            expiresAtMs: excluded(oneTime.expiresAtMs),
            spent: excluded(oneTime.spent),
            backupId: excluded(oneTime.backupId),
            holder: excluded(oneTime.holder),
          },
        })
        .prepare(),
    ),
    redeem: memoise(() => db.update(oneTime).set({ spent: true }).where(eq(oneTime.id, id)).prepare()),
    /** Leaves alone a row with another expiry, which is of a later call, and a redeemed token. */
    deleteOneTime: memoise(() =>
      db
        .delete(oneTime)
        .where(
          and(
            eq(oneTime.id, id),
            eq(oneTime.expiresAtMs, sql.placeholder("expiresAtMs")),
            eq(oneTime.spent, sql.placeholder("spent")),
          ),
        )
        .prepare(),
    ),
    put: memoise(() =>
      db
        .insert(backups)
        .values({
          backupId,
          revision: sql.placeholder("revision"),
          blobKey: sql.placeholder("blobKey"),
          blobSize: sql.placeholder("blobSize"),
          blobSha256: sql.placeholder("blobSha256"),
          metadata: sql.placeholder("metadata"),
          versions: sql.placeholder("versions"),
          updatedAtMs: sql.placeholder("nowMs"),
        })
        .onConflictDoUpdate({
          target: backups.backupId,
          set: {
            revision: excluded(backups.revision),
            blobKey: excluded(backups.blobKey),
            blobSize: excluded(backups.blobSize),
            blobSha256: excluded(backups.blobSha256),
            metadata: excluded(backups.metadata),
            versions: excluded(backups.versions),
            updatedAtMs: excluded(backups.updatedAtMs),
          },
        })
        .prepare(),
    ),
    delete: memoise(() => db.delete(backups).where(eq(backups.backupId, backupId)).prepare()),
  };
}

/** The value that a conflicting insert has for the column. */
function excluded({ name }: SQLiteColumn) {
  return sql`excluded.${sql.identifier(name)}`;
}
