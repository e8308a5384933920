/** What operators need of the record store: listings, what is swept, and the marks of the installation. */
import type { Database } from "bun:sqlite";
import type { BunSQLiteDatabase } from "drizzle-orm/bun-sqlite";
import type { Clock } from "../../runtime/clock.ts";
import type { FactorRef } from "../contract.ts";
import type { InstallationMark, RecordInspection, Restore, RestoreLog, StoredFormat } from "../inspection.ts";
import { storedKey } from "../stored-key.ts";
import type { LocalCollection } from "./collection.ts";
import type { DeletedStates } from "./deleted-states.ts";
import type { GroupCommit } from "./group-commit.ts";
import { countExpired, listIndex, listRecords, sweepExpired } from "./inspection.ts";
import * as marks from "./marks.ts";
import { schemaVersion } from "./migrations.ts";
import { query } from "./outage.ts";

interface InspectedDatabase {
  readonly database: Database;
  readonly db: BunSQLiteDatabase;
  readonly writes: GroupCommit;
  readonly states: DeletedStates;
  readonly collection: LocalCollection;
  readonly clock: Pick<Clock, "nowMs">;
}

export class LocalRecordInspection implements RecordInspection, InstallationMark, RestoreLog {
  readonly #database: Database;
  readonly #db: BunSQLiteDatabase;
  readonly #writes: GroupCommit;
  readonly #states: DeletedStates;
  readonly #collection: LocalCollection;
  readonly #clock: Pick<Clock, "nowMs">;

  constructor({ database, db, writes, states, collection, clock }: InspectedDatabase) {
    this.#database = database;
    this.#db = db;
    this.#writes = writes;
    this.#states = states;
    this.#collection = collection;
    this.#clock = clock;
  }

  async *list(after?: string) {
    // Takes the write lock once: a transaction of a suspended process ends before that, and a later one is checked for
    // being too late.
    await this.#writes.add(() => {});
    yield* listRecords(this.#db, after);
  }

  async *listDeleted() {
    yield* this.#states.list();
    yield* this.#collection.list(); // last: what is taken meanwhile moves there
  }

  listFactors(after?: FactorRef) {
    return listIndex(this.#db, after);
  }

  asStored({ scope, key, stored }: FactorRef): FactorRef {
    return { scope, key: stored ? key : storedKey(key), stored: true };
  }

  async countExpired(): Promise<number> {
    return countExpired(this.#db, this.#clock.nowMs());
  }

  /** SQLite keeps no count; the sweep counts on its way. */
  async recentCount(): Promise<null> {
    return null;
  }

  async sweepExpired(): Promise<number> {
    return sweepExpired(this.#db, this.#writes, () => this.#clock.nowMs());
  }

  async format(): Promise<StoredFormat> {
    return query(() => ({ name: "database schema", version: schemaVersion(this.#database) }));
  }

  async installationId(): Promise<string | null> {
    return query(() => marks.installationIdOf(this.#database));
  }

  async markInstallation(id: string): Promise<string> {
    return this.#writes.add(() => marks.markInstallation(this.#database, id));
  }

  async lastSeenMs(): Promise<number | null> {
    return query(() => marks.lastSeenMsOf(this.#database));
  }

  async markSeen(nowMs: number): Promise<void> {
    await this.#writes.add(() => marks.markSeen(this.#database, nowMs));
  }

  async restores(): Promise<readonly Restore[]> {
    return query(() => marks.restoresOf(this.#database));
  }

  async noteRestore(restore: Restore): Promise<void> {
    await this.#writes.add(() => marks.noteRestore(this.#database, restore));
  }
}
