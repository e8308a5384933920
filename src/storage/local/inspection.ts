/** Queries over all rows, for operators. Those of requests are in statements.ts. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { count, gt, inArray, lte, sql } from "drizzle-orm";
import type { BunSQLiteDatabase } from "drizzle-orm/bun-sqlite";
import { blobsOf, type FactorRef } from "../contract.ts";
import type { ListedRecord, RecordInspection } from "../inspection.ts";
import type { GroupCommit } from "./group-commit.ts";
import { query } from "./outage.ts";
import { backups, blobOf, counters, events, factorIndex, oneTime } from "./schema.ts";

const LIST_PAGE = 500;
const SWEEP_BATCH = 1_000;

interface IndexEntry {
  readonly factor: FactorRef;
  readonly backupId: string;
}

/** The records, in the order of the backup ids. @param after as for {@link RecordInspection.list} */
export function listRecords(db: BunSQLiteDatabase, after?: string): AsyncIterable<ListedRecord> {
  const { backupId, blobKey, blobSize, blobSha256, versions, updatedAtMs } = backups;
  const first = after === undefined ? null : { backupId: after };
  return paged(first, (last: Pick<ListedRecord, "backupId"> | null) =>
    db
      .select({ backupId, blobKey, blobSize, blobSha256, versions, updatedAtMs }) // metadata is most of a row
      .from(backups)
      .where(last === null ? undefined : gt(backupId, last.backupId))
      .orderBy(backupId)
      .limit(LIST_PAGE)
      .all()
      .map((row) => ({
        backupId: row.backupId,
        blobs: blobsOf({ blob: blobOf(row), versions: JSON.parse(row.versions) }),
        changedAtMs: row.updatedAtMs,
      })),
  );
}

/** The index rows, in the order of the factors. @param after as for {@link RecordInspection.listFactors} */
export function listIndex(db: BunSQLiteDatabase, after?: FactorRef): AsyncIterable<IndexEntry> {
  const { scope, factorKey } = factorIndex;
  const first = after === undefined ? null : { factor: after };
  return paged(first, (last: Pick<IndexEntry, "factor"> | null) =>
    db
      .select()
      .from(factorIndex)
      .where(
        last === null
          ? undefined
          : sql`(${scope}, ${factorKey}) > (${last.factor.scope}, ${last.factor.key})`,
      )
      .orderBy(scope, factorKey)
      .limit(LIST_PAGE)
      .all()
      .map((row) => ({
        factor: { scope: row.scope, key: row.factorKey, stored: true },
        backupId: row.backupId,
      })),
  );
}

/** Rows page by page: memory holds one page, and requests are served in between, since queries are synchronous. */
async function* paged<Place, Row extends Place>(
  first: Place | null,
  pageAfter: (last: Place | null) => readonly Row[],
): AsyncGenerator<Row> {
  for (let last = first; ; ) {
    const page = query(() => pageAfter(last));
    yield* page;
    last = page.at(-1) ?? null;
    if (last === null) return;
    await nextTurn();
  }
}

/** The tables whose rows expire. */
const EXPIRING = [oneTime, counters, events] as const;
type Expiring = (typeof EXPIRING)[number];

/** How many rows have expired. */
export function countExpired(db: BunSQLiteDatabase, nowMs: number): number {
  const expired = (table: Expiring) =>
    db.select({ rows: count() }).from(table).where(lte(table.expiresAtMs, nowMs)).get()?.rows ?? 0;
  return query(() => EXPIRING.reduce((sum, table) => sum + expired(table), 0));
}

/** Deletes expired rows, a batch at a time, so that no other write waits for long; returns how many. */
export async function sweepExpired(
  db: BunSQLiteDatabase,
  writes: GroupCommit,
  nowMs: () => number,
): Promise<number> {
  let sum = 0;
  for (const table of EXPIRING) sum += await sweepTable(table);
  return sum;

  async function sweepTable(table: Expiring): Promise<number> {
    for (let swept = 0; ; ) {
      const expired = db
        .select({ id: table.id })
        .from(table)
        .where(lte(table.expiresAtMs, nowMs()))
        .limit(SWEEP_BATCH);
      const batch = await writes.add(() =>
        db.delete(table).where(inArray(table.id, expired)).returning({ id: table.id }).all(),
      );
      swept += batch.length;
      if (batch.length < SWEEP_BATCH) return swept;
      await nextTurn();
    }
  }
}
