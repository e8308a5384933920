/** The record store of the embedded driver: one SQLite file in WAL mode, durable at every commit. */
import type { Database } from "bun:sqlite";
import { eq, sql } from "drizzle-orm";
import { type BunSQLiteDatabase, drizzle } from "drizzle-orm/bun-sqlite";
import type { Clock, Random } from "../../runtime/clock.ts";
import type { Nonce } from "../../runtime/nonce.ts";
import type {
  Change,
  Conflict,
  Consumption,
  DeletedBackup,
  DeletionRef,
  FactorRef,
  NewEvent,
  StoredRecord,
  SyncFactorToken,
} from "../contract.ts";
import type { InspectableRecords } from "../inspection.ts";
import { requireInTime } from "../late-changes.ts";
import { storedKey } from "../stored-key.ts";
import { LocalCollection } from "./collection.ts";
import { closeDatabase, openDatabase } from "./database.ts";
import { DeletedStates } from "./deleted-states.ts";
import { EventLogs } from "./events.ts";
import { GroupCommit } from "./group-commit.ts";
import { OneTime } from "./one-time.ts";
import { query } from "./outage.ts";
import { LocalOutbox } from "./outbox.ts";
import { LocalRecordInspection } from "./record-inspection.ts";
import { blobOf, counters } from "./schema.ts";
import { prepareStatements, type Statements } from "./statements.ts";

const BUSY_TIMEOUT_MS = 5_000;

export interface LocalRecordsOptions {
  readonly dataDir: string;
  readonly clock: Clock;
  readonly random: Random;
  /** How long a write waits for another process's write before it fails. 5000 by default. */
  readonly busyTimeoutMs?: number;
  /** Whether a service opens it. Then a copy becomes the folder of a service: see copy/mark.ts. Not by default. */
  readonly serves?: boolean;
}

/** Opens the records of a data folder. @throws as {@link openDatabase} */
export async function openLocalRecords({
  dataDir,
  clock,
  random,
  busyTimeoutMs = BUSY_TIMEOUT_MS,
  serves = false,
}: LocalRecordsOptions): Promise<InspectableRecords> {
  const database = await openDatabase({ dataDir, busyTimeoutMs, serves, clock });
  return new LocalRecords(database, clock, random, busyTimeoutMs);
}

class LocalRecords extends LocalRecordInspection implements InspectableRecords {
  readonly outbox: LocalOutbox;
  readonly collection: LocalCollection;
  readonly #database: Database;
  readonly #db: BunSQLiteDatabase;
  readonly #statements: Statements;
  readonly #writes: GroupCommit;
  readonly #oneTime: OneTime;
  readonly #states: DeletedStates;
  readonly #logs: EventLogs;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(database: Database, clock: Clock, random: Random, busyTimeoutMs: number) {
    const db = drizzle(database);
    const writes = new GroupCommit(database, busyTimeoutMs);
    const [states, logs] = [new DeletedStates(database), new EventLogs(database)];
    const collection = new LocalCollection({ database, writes, states, logs, clock, random });
    super({ database, db, writes, states, collection, clock });
    this.#database = database;
    this.#db = db;
    this.#statements = prepareStatements(db);
    this.#writes = writes;
    this.#oneTime = new OneTime(this.#statements, clock);
    this.#states = states;
    this.#logs = logs;
    this.outbox = new LocalOutbox(database, writes, clock);
    this.collection = collection;
    this.#clock = clock;
    this.#random = random;
  }

  async locate(factor: FactorRef, nonces: readonly Nonce[]) {
    return query(() => ({
      backupId: this.#backupOf(factor),
      consumed: this.#oneTime.anyConsumed(nonces),
    }));
  }

  async isConsumed(nonces: readonly Nonce[]): Promise<boolean> {
    return query(() => this.#oneTime.anyConsumed(nonces));
  }

  async read(backupId: string): Promise<StoredRecord | null> {
    return query(() => {
      const row = this.#statements.read().get({ backupId });
      if (row === undefined) return null;
      const { revision, updatedAtMs: changedAtMs } = row;
      const [metadata, versions] = [JSON.parse(row.metadata), JSON.parse(row.versions)];
      return { revision, blob: blobOf(row), metadata, versions, changedAtMs };
    });
  }

  async commit(change: Change): Promise<"committed" | Conflict> {
    return this.#writes.add(() => {
      const conflict = this.#conflictOf(change);
      if (conflict !== null) return conflict;
      requireInTime(change, this.#clock); // true until the commit: `list` waits for the write lock
      return this.#apply(change);
    });
  }

  async consume(
    nonces: readonly Nonce[],
    issue?: SyncFactorToken,
    events: readonly NewEvent[] = [],
  ): Promise<Consumption | null> {
    return this.#writes.add(() => {
      if (this.#oneTime.anyConsumed(nonces)) return null;
      requireInTime({ consume: nonces }, this.#clock);
      this.#oneTime.consume(nonces);
      if (issue !== undefined) this.#oneTime.issue(issue);
      this.#append(events);
      let released: Promise<void> | undefined;
      return { release: () => (released ??= this.#release(nonces, issue, events)) };
    });
  }

  /** Called once for each consumption: a row does not show which call has consumed its nonce. */
  #release(
    nonces: readonly Nonce[],
    issued: SyncFactorToken | undefined,
    events: readonly NewEvent[],
  ): Promise<void> {
    return this.#writes.add(() => {
      this.#oneTime.release(nonces, issued);
      this.#logs.remove(events);
      this.outbox.remove(events);
    });
  }

  async readDeleted(backupId: string, after?: DeletionRef): Promise<readonly DeletedBackup[]> {
    return query(() => this.#states.read(backupId, this.#clock.nowMs(), after));
  }

  async readEvents(logId: string, page: { readonly before: string | null; readonly limit: number }) {
    return query(() => this.#logs.read(logId, page, this.#clock.nowMs()));
  }

  async readToken(id: string) {
    return query(() => this.#oneTime.token(id));
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

  async ready(): Promise<void> {
    query(() => this.#statements.read().get({ backupId: "" }));
  }

  /** A row that is inserted and deleted in one transaction is written to the log like any other. */
  async writable(): Promise<void> {
    const id = `writable|${this.#random.uuid()}`;
    await this.#writes.add(() => {
      this.#db.insert(counters).values({ id, total: 0, expiresAtMs: 0 }).run();
      this.#db.delete(counters).where(eq(counters.id, id)).run();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#writes.flush();
    closeDatabase(this.#database);
  }

  #conflictOf(change: Change): Conflict | null {
    if (this.#oneTime.anyConsumed(change.consume ?? [])) return "consumed";
    if (change.redeem !== undefined) {
      const token = this.#oneTime.token(change.redeem);
      if (token === null || token.redeemed || token.backupId !== change.backupId) return "consumed";
    }
    const stored = this.#statements.revision().get({ backupId: change.backupId });
    if (change.expect === "absent") {
      if (stored !== undefined) return "exists";
    } else if (stored?.revision !== change.expect.revision) return "revision";
    if (this.#states.lacksOneOf(change, this.#clock.nowMs())) return "not-kept";
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
    this.#oneTime.consume(change.mark ?? []);
    this.#oneTime.consume(change.consume ?? []);
    if (change.redeem !== undefined) this.#oneTime.redeem(change.redeem);
    if (change.issue !== undefined) this.#oneTime.issue(change.issue);
    this.#states.change(change);
    this.collection.add(change);
    this.#append(change.events ?? []);
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
        versions: JSON.stringify(next.versions),
        nowMs: next.changedAtMs ?? nowMs,
      });
    }
    return "committed";
  }

  #append(events: readonly NewEvent[]): void {
    this.#logs.append(events);
    this.outbox.add(events);
  }

  #backupOf(factor: FactorRef): string | null {
    const { scope, key } = this.asStored(factor);
    return this.#statements.locate().get({ scope, key })?.backupId ?? null;
  }
}
