/** Copies the database of a data folder in use, and knows which ciphertexts the copied state needs. */
import { Database } from "bun:sqlite";
import { closeSync, openSync } from "node:fs";
import type { BlobRef } from "../../contract.ts";

const BUSY_TIMEOUT_MS = 10_000;
const PAGE = 500;

/** Which ciphertext a backup needs. */
export interface Need {
  readonly backupId: string;
  readonly blob: BlobRef;
}

type Row = Pick<Need, "backupId"> & Pick<BlobRef, "key" | "size" | "sha256">;

const COLUMNS = "backup_id AS backupId, blob_key AS key, blob_size AS size, blob_sha256 AS sha256";

export class RecordsCopier implements Disposable {
  readonly #copy: Database;
  readonly #source: string;
  /** When the copied snapshot was taken. */
  takenAtMs = 0;

  /** @param source the database file of the service; @param copy a new file. */
  constructor(source: string, copy: string) {
    this.#source = source;
    closeSync(openSync(copy, "wx", 0o600));
    this.#copy = new Database(copy, { readwrite: true, strict: true });
    this.#copy.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    // the file is synced as a whole before it is renamed into place
    this.#copy.run("PRAGMA journal_mode = MEMORY");
    this.#copy.run("PRAGMA synchronous = OFF");
    this.#copy.query("ATTACH DATABASE ? AS live").run(source);
    this.#copy.run("CREATE TEMP TABLE copied (key TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID");
    this.#copy.run("CREATE TEMP TABLE lost (key TEXT NOT NULL PRIMARY KEY, reason TEXT) WITHOUT ROWID");
  }

  /** What all backups need, page by page. Backups that change meanwhile may be listed in either state. */
  *needs(): Generator<Need[]> {
    const query = this.#copy.query<Row, [string]>(
      `SELECT ${COLUMNS} FROM live.backups WHERE backup_id > ? ORDER BY backup_id LIMIT ${PAGE}`,
    );
    for (let after = ""; ; ) {
      const page = query.all(after).map(needOf);
      const last = page.at(-1);
      if (last === undefined) return;
      yield page;
      after = last.backupId;
    }
  }

  /** Remembers that a ciphertext is in the copy. */
  addCopied(key: string): void {
    this.#copy.query("INSERT OR IGNORE INTO temp.copied VALUES (?)").run(key);
  }

  /** Remembers that a ciphertext is missing or damaged in the source. */
  addLost(key: string, reason: string): void {
    this.#copy.query("INSERT OR IGNORE INTO temp.lost VALUES (?, ?)").run(key, reason);
  }

  /** Whether a backup needs this ciphertext now. */
  isNeeded({ backupId, blob }: Need): boolean {
    const query = this.#copy.query("SELECT 1 FROM live.backups WHERE backup_id = ? AND blob_key = ?");
    return query.get(backupId, blob.key) !== null;
  }

  /** Keeps the source as it is now, for {@link missing} and {@link copySnapshot}, until `use` ends. Never blocks the service. */
  async inSnapshot<T>(use: () => Promise<T>): Promise<T> {
    this.#copy.run("BEGIN");
    try {
      const result = await use();
      this.#copy.run("COMMIT");
      return result;
    } catch (error) {
      this.#copy.run("ROLLBACK");
      throw error;
    }
  }

  /** What backups need and is neither copied nor lost: at most `limit`, and one more if there are more. */
  missing(limit: number): Need[] {
    return this.#copy
      .query<Row, [number]>(
        `SELECT ${COLUMNS} FROM live.backups
         WHERE blob_key NOT IN (SELECT key FROM temp.copied)
         AND blob_key NOT IN (SELECT key FROM temp.lost) LIMIT ?`,
      )
      .all(limit + 1)
      .map(needOf);
  }

  /** Blocks the service's writes until the result is disposed of. They fail after 5 s. */
  blockWrites(): Disposable {
    const blocker = new Database(this.#source, { readwrite: true });
    blocker.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    blocker.run("BEGIN IMMEDIATE");
    return blocker;
  }

  /** Writes the state of the snapshot to the copy: table by table, since VACUUM INTO cannot copy an open snapshot. */
  copySnapshot(): void {
    const schema = this.#copy
      .query<{ type: string; name: string; sql: string }, []>(
        "SELECT type, name, sql FROM live.sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'",
      )
      .all();
    for (const { type, name, sql } of schema)
      if (type === "table") {
        this.#copy.run(sql);
        this.#copy.run(`INSERT INTO main."${name}" SELECT * FROM live."${name}"`);
      }
    for (const { type, sql } of schema) if (type !== "table") this.#copy.run(sql);
    const version = this.#copy.query<{ user_version: number }, []>("PRAGMA live.user_version").get();
    this.#copy.run(`PRAGMA main.user_version = ${version?.user_version ?? 0}`);
    this.takenAtMs = Date.now();
  }

  /** What the copied backups need and the source has lost. */
  lost(): (Need & { readonly reason: string })[] {
    return this.#copy
      .query<Row & { readonly reason: string }, []>(
        `SELECT ${COLUMNS}, reason FROM main.backups JOIN temp.lost ON key = blob_key`,
      )
      .all()
      .map((row) => ({ ...needOf(row), reason: row.reason }));
  }

  [Symbol.dispose](): void {
    this.#copy.close();
  }
}

function needOf({ backupId, key, size, sha256 }: Row): Need {
  return { backupId, blob: { key, size, sha256 } };
}
