/** The record store of the embedded driver: one SQLite file in WAL mode, durable at every commit. */
import { Database } from "bun:sqlite";
import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { eq, inArray, lte, sql } from "drizzle-orm";
import { type BunSQLiteDatabase, drizzle } from "drizzle-orm/bun-sqlite";
import type { Clock, Random } from "../../runtime/clock.ts";
import { makeFolder } from "../../runtime/folders.ts";
import type {
  Change,
  Conflict,
  Consumption,
  FactorRef,
  Nonce,
  StoredRecord,
  SyncFactorToken,
} from "../contract.ts";
import type { InspectableRecords, Restore } from "../inspection.ts";
import { requireInTime } from "../late-changes.ts";
import { storedKey } from "../stored-key.ts";
import { holdCopyMark, MARK } from "./copy/mark.ts";
import { requireOwnLog } from "./foreign-log.ts";
import { BUSY_PAUSE_MS, GroupCommit } from "./group-commit.ts";
import { countExpired, type IndexEntry, indexPage, recordPage } from "./inspection.ts";
import { DATABASE } from "./layout.ts";
import * as marks from "./marks.ts";
import { migrate } from "./migrations.ts";
import { asOutage, isOutage } from "./outage.ts";
import { type backups, counters, oneTime } from "./schema.ts";
import { prepareStatements, type Statements } from "./statements.ts";

const BUSY_TIMEOUT_MS = 5_000;
const LIST_PAGE = 500;
const SWEEP_BATCH = 1_000;

export interface LocalRecordsOptions {
  readonly dataDir: string;
  readonly clock: Clock;
  readonly random: Random;
  /** How long a write waits for another process's write before the store counts as unavailable. 5000 by default. */
  readonly busyTimeoutMs?: number;
  /** Whether a service opens it. Then a copy becomes the folder of a service: see copy-mark.ts. Not by default. */
  readonly serves?: boolean;
}

/**
 * Opens (and creates or migrates) `records.sqlite` in `dataDir`. The folder is made with mode 0700, the file with 0600.
 *
 * @throws CopyUnusable when a service is to open a copy that is not complete; ForeignLog.
 */
export async function openLocalRecords({
  dataDir,
  clock,
  random,
  busyTimeoutMs = BUSY_TIMEOUT_MS,
  serves = false,
}: LocalRecordsOptions): Promise<InspectableRecords> {
  await makeFolder(dataDir);
  await using mark = serves ? await holdCopyMark(dataDir, busyTimeoutMs) : null;
  const path = join(dataDir, DATABASE);
  await requireOwnLog(dataDir);
  closeSync(openSync(path, "a", 0o600)); // SQLite gives its -wal and -shm files the mode of this one
  const database = new Database(path, { readwrite: true, strict: true });
  try {
    database.run(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
    database.run("PRAGMA journal_mode = WAL");
    database.run("PRAGMA synchronous = FULL"); // in WAL mode NORMAL may lose the last commits at power loss
    migrate(database, existsSync(join(dataDir, MARK)));
    if (serves) marks.takeIntoService(database, clock.nowMs());
    await mark?.remove(); // after the commit: until then a copy has both marks
    database.run(`PRAGMA busy_timeout = ${BUSY_PAUSE_MS}`); // from here on GroupCommit waits, and the event loop goes on
  } catch (error) {
    database.close();
    throw error;
  }
  return new LocalRecords(database, clock, random, busyTimeoutMs);
}

class LocalRecords implements InspectableRecords {
  readonly #database: Database;
  readonly #db: BunSQLiteDatabase;
  readonly #statements: Statements;
  readonly #writes: GroupCommit;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(database: Database, clock: Clock, random: Random, busyTimeoutMs: number) {
    this.#database = database;
    this.#db = drizzle(database);
    this.#statements = prepareStatements(this.#db);
    this.#writes = new GroupCommit(database, busyTimeoutMs);
    this.#clock = clock;
    this.#random = random;
  }

  async locate(factor: FactorRef, nonces: readonly Nonce[]) {
    return this.#answer(() => ({
      backupId: this.#backupOf(factor),
      consumed: this.#anyConsumed(nonces),
    }));
  }

  async isConsumed(nonces: readonly Nonce[]): Promise<boolean> {
    return this.#answer(() => this.#anyConsumed(nonces));
  }

  async read(backupId: string): Promise<StoredRecord | null> {
    return this.#answer(() => {
      const row = this.#statements.read().get({ backupId });
      if (row === undefined) return null;
      const { revision, updatedAtMs: changedAtMs } = row;
      return { revision, blob: blobOf(row), metadata: JSON.parse(row.metadata), changedAtMs };
    });
  }

  async commit(change: Change): Promise<"committed" | Conflict> {
    return this.#writes.add(() => {
      const conflict = this.#conflictOf(change);
      if (conflict !== null) return conflict;
      requireInTime(change, this.#clock); // holds until the commit: `list` waits for the write lock
      return this.#apply(change);
    });
  }

  async consume(nonces: readonly Nonce[], issue?: SyncFactorToken): Promise<Consumption | null> {
    return this.#writes.add(() => {
      if (this.#anyConsumed(nonces)) return null;
      requireInTime({ consume: nonces }, this.#clock);
      this.#markConsumed(nonces);
      if (issue !== undefined) this.#issue(issue);
      let released: Promise<void> | undefined;
      return { release: () => (released ??= this.#release(nonces, issue)) };
    });
  }

  /** To be called once: another call may consume the same nonce afterwards, and rows do not show by which call. */
  #release(nonces: readonly Nonce[], issued: SyncFactorToken | undefined): Promise<void> {
    return this.#writes.add(() => {
      const remove = ({ id, expiresAtMs }: Nonce, spent: boolean) =>
        this.#statements.deleteOneTime().run({ id: storedKey(id), expiresAtMs, spent });
      for (const nonce of nonces) remove(nonce, true);
      if (issued !== undefined) remove(issued, false);
    });
  }

  async readToken(id: string) {
    return this.#answer(() => {
      const row = this.#liveOneTime(id);
      if (row === undefined || row.backupId === null || row.holder === null) return null;
      return { backupId: row.backupId, holder: row.holder, redeemed: row.spent };
    });
  }

  async *list() {
    // Takes the write lock once. A process that was suspended while it held it has ended its transaction by then, and one
    // that takes it later finds out by itself that it comes too late.
    await this.#writes.add(() => {});
    for (let after = ""; ; ) {
      const page = this.#answer(() => recordPage(this.#db, after, LIST_PAGE));
      yield* page;
      const last = page.at(-1);
      if (last === undefined) return;
      after = last.backupId;
      await nextTurn(); // the queries are synchronous, and requests wait
    }
  }

  async addToCounter(id: string, amount: number, expiresAtMs: number): Promise<number> {
    return this.#writes.add(
      () =>
        this.#db
          .insert(counters)
          .values({ id: storedKey(id), total: amount, expiresAtMs })
          .onConflictDoUpdate({
            target: counters.id,
            set: { total: sql`${counters.total} + ${amount}` },
          })
          .returning({ total: counters.total })
          .get().total,
    );
  }

  async *listFactors() {
    for (let after: FactorRef | null = null; ; ) {
      const page: IndexEntry[] = this.#answer(() => indexPage(this.#db, after, LIST_PAGE));
      yield* page;
      const last = page.at(-1);
      if (last === undefined) return;
      after = last.factor;
      await nextTurn();
    }
  }

  asStored({ scope, key, stored }: FactorRef): FactorRef {
    return { scope, key: stored ? key : storedKey(key), stored: true };
  }

  async countExpired(): Promise<number> {
    return this.#answer(() => countExpired(this.#db, this.#clock.nowMs()));
  }

  async sweepExpired(): Promise<number> {
    return (await this.#sweep(oneTime)) + (await this.#sweep(counters));
  }

  async installationId(): Promise<string | null> {
    return this.#answer(() => marks.installationIdOf(this.#database));
  }

  async markInstallation(id: string): Promise<string> {
    return this.#writes.add(() => marks.markInstallation(this.#database, id));
  }

  async lastSeenMs(): Promise<number | null> {
    return this.#answer(() => marks.lastSeenMsOf(this.#database));
  }

  async markSeen(nowMs: number): Promise<void> {
    await this.#writes.add(() => marks.markSeen(this.#database, nowMs));
  }

  async restores(): Promise<readonly Restore[]> {
    return this.#answer(() => marks.restoresOf(this.#database));
  }

  async noteRestore(restore: Restore): Promise<void> {
    await this.#writes.add(() => marks.noteRestore(this.#database, restore));
  }

  async ready(): Promise<void> {
    this.#answer(() => this.#statements.read().get({ backupId: "" }));
  }

  /** A row that comes and goes in one transaction is written to the log like any other. */
  async writable(): Promise<void> {
    const id = `writable|${this.#random.uuid()}`;
    await this.#writes.add(() => {
      this.#db.insert(counters).values({ id, total: 0, expiresAtMs: 0 }).run();
      this.#db.delete(counters).where(eq(counters.id, id)).run();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#writes.flush();
    leaveCopyWithoutLog(this.#database);
    this.#database.close();
  }

  #conflictOf(change: Change): Conflict | null {
    if (this.#anyConsumed(change.consume ?? [])) return "consumed";
    if (change.redeem !== undefined) {
      const token = this.#liveOneTime(change.redeem);
      if (token === undefined || token.spent || token.backupId !== change.backupId) return "consumed";
    }
    const stored = this.#statements.revision().get({ backupId: change.backupId });
    if (change.expect === "absent") {
      if (stored !== undefined) return "exists";
    } else if (stored?.revision !== change.expect.revision) return "revision";
    if (change.claim?.some((factor) => this.#backupOf(factor) !== null)) return "factor-claimed";
    return null;
  }

  #apply(change: Change): "committed" {
    const { backupId, next } = change;
    const nowMs = this.#clock.nowMs();
    for (const factor of change.release ?? []) {
      const { scope, key } = this.asStored(factor);
      this.#statements.release().run({ scope, key, backupId });
    }
    for (const factor of change.claim ?? []) {
      const { scope, key } = this.asStored(factor);
      this.#statements.claim().run({ scope, key, backupId, nowMs });
    }
    this.#markConsumed(change.mark ?? []);
    this.#markConsumed(change.consume ?? []);
    if (change.redeem !== undefined) this.#statements.redeem().run({ id: storedKey(change.redeem) });
    if (change.issue !== undefined) this.#issue(change.issue);
    if (next === null) {
      this.#statements.delete().run({ backupId });
    } else {
      this.#statements.put().run({
        backupId,
        revision: this.#random.uuid(),
        blobKey: next.blob.key,
        blobSize: next.blob.size,
        blobSha256: next.blob.sha256,
        metadata: JSON.stringify(next.metadata),
        nowMs: next.changedAtMs ?? nowMs,
      });
    }
    return "committed";
  }

  #backupOf(factor: FactorRef): string | null {
    const { scope, key } = this.asStored(factor);
    return this.#statements.locate().get({ scope, key })?.backupId ?? null;
  }

  #liveOneTime(id: string) {
    return this.#statements.oneTime().get({ id: storedKey(id), nowMs: this.#clock.nowMs() });
  }

  #anyConsumed(nonces: readonly Nonce[]): boolean {
    return nonces.some(({ id }) => this.#liveOneTime(id) !== undefined);
  }

  #markConsumed(nonces: readonly Nonce[]): void {
    for (const { id, expiresAtMs } of nonces)
      this.#statements.putOneTime().run({
        id: storedKey(id),
        expiresAtMs,
        spent: true,
        backupId: null,
        holder: null,
      });
  }

  #issue({ id, expiresAtMs, backupId, holder }: SyncFactorToken): void {
    if (this.#liveOneTime(id) !== undefined)
      throw new Error("a sync factor token of this id was already issued");
    this.#statements.putOneTime().run({ id: storedKey(id), expiresAtMs, spent: false, backupId, holder });
  }

  /** Deletes expired rows a batch at a time, so that no write waits for long. */
  async #sweep(table: typeof oneTime | typeof counters): Promise<number> {
    let swept = 0;
    for (;;) {
      const expired = this.#db
        .select({ id: table.id })
        .from(table)
        .where(lte(table.expiresAtMs, this.#clock.nowMs()))
        .limit(SWEEP_BATCH);
      const batch = await this.#writes.add(() =>
        this.#db.delete(table).where(inArray(table.id, expired)).returning({ id: table.id }).all(),
      );
      swept += batch.length;
      if (batch.length < SWEEP_BATCH) return swept;
      await nextTurn();
    }
  }

  /** Runs a query; what the file system or another process does to it becomes {@link StorageUnavailable}. */
  #answer<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      throw asOutage(error);
    }
  }
}

/** A copy stays as it was made, so that a log beside it is known to be another database's: see foreign-log.ts. */
function leaveCopyWithoutLog(database: Database): void {
  if (marks.copiedAtMsOf(database) === null) return;
  try {
    database.run("PRAGMA journal_mode = DELETE");
  } catch (error) {
    if (!isOutage(error)) throw error; // as where another process has it open, which does this later
  }
}

function blobOf(row: typeof backups.$inferSelect) {
  return { key: row.blobKey, size: row.blobSize, sha256: row.blobSha256 };
}
