/** Copies the database of a data folder in use, and knows which ciphertexts the copied state needs. */
import { Database } from "bun:sqlite";
import { closeSync, openSync } from "node:fs";
import { type BlobRef, blobsOf } from "../../contract.ts";
import { blobOf } from "../schema.ts";
import { references, stateTables } from "./references.ts";

const BUSY_TIMEOUT_MS = 10_000;
const PAGE = 500;

/** Which ciphertext a backup needs. */
export interface Need {
  readonly backupId: string;
  readonly blob: BlobRef;
}

type Row = Pick<Need, "backupId"> & BlobRef;

/** A state of a backup. */
interface StateRow {
  readonly row: number;
  readonly backupId: string;
  readonly blobKey: string;
  readonly blobSize: number;
  readonly blobSha256: string;
  readonly versions: string;
}

export class RecordsCopier implements Disposable {
  readonly #copy: Database;
  readonly #source: string;
  /** A query for what the source refers to. */
  readonly #references: string;
  /** When the copied snapshot was taken. */
  takenAtMs = 0;

  /** @param source the database file of the service; @param copy a new file. */
  constructor(source: string, copy: string) {
    this.#source = source;
    closeSync(openSync(copy, "wx", 0o600));
    this.#copy = new Database(copy, { readwrite: true });
    this.#copy.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    // the file is synced as a whole before it is renamed into place
    this.#copy.run("PRAGMA journal_mode = MEMORY");
    this.#copy.run("PRAGMA synchronous = OFF");
    this.#copy.query("ATTACH DATABASE ? AS live").run(source);
    this.#references = references(this.#copy, "live");
    this.#copy.run("CREATE TEMP TABLE tried (key TEXT NOT NULL PRIMARY KEY, reason TEXT) WITHOUT ROWID");
  }

  /** What all backups need, page by page. Backups that change meanwhile may be listed in either state. */
  *needs(): Generator<Need[]> {
    for (const { name, versions } of stateTables(this.#copy, "live")) {
      const query = this.#copy.query<StateRow, [number]>(
        `SELECT rowid AS row, backup_id AS backupId, blob_key AS blobKey, blob_size AS blobSize,
           blob_sha256 AS blobSha256, ${versions} AS versions
         FROM ${name} WHERE rowid > ? ORDER BY rowid LIMIT ${PAGE}`,
      );
      let last: StateRow | undefined;
      do {
        const page = query.all(last?.row ?? 0);
        yield page.flatMap(needsOf);
        last = page.at(-1);
      } while (last !== undefined);
    }
  }

  /**
   * Remembers that a ciphertext is in the copy, or cannot be copied: it was replaced meanwhile, or it is lost.
   *
   * @param reason why it is lost, if the copied state needs it; `null` when it is in the copy.
   */
  addTried(key: string, reason: string | null): void {
    this.#copy.query("INSERT OR IGNORE INTO temp.tried VALUES (?, ?)").run(key, reason);
  }

  /**
   * Keeps the source as it is now for {@link missing} and {@link copySnapshot}, until `use` ends. Blocks no service. When
   * `use` fails, all that is left is to dispose of the copier.
   */
  async inSnapshot<T>(use: () => Promise<T>): Promise<T> {
    this.#copy.run("BEGIN");
    const result = await use();
    this.#copy.run("COMMIT");
    return result;
  }

  /** What backups need and was not tried: at most `limit`, and one more if there are more. */
  missing(limit: number): Need[] {
    return this.#copy
      .query<Row, [number]>(
        `SELECT * FROM (${this.#references}) WHERE key NOT IN (SELECT key FROM temp.tried) LIMIT ?`,
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
        `SELECT needed.*, reason FROM (${references(this.#copy, "main")}) AS needed JOIN temp.tried USING (key)
         WHERE reason IS NOT NULL`,
      )
      .all()
      .map((row) => ({ ...needOf(row), reason: row.reason }));
  }

  [Symbol.dispose](): void {
    this.#copy.close();
  }
}

function needsOf({ backupId, versions, ...row }: StateRow): Need[] {
  const blobs = blobsOf({ blob: blobOf(row), versions: JSON.parse(versions) });
  return blobs.map((blob) => ({ backupId, blob }));
}

function needOf({ backupId, key, size, sha256 }: Row): Need {
  return { backupId, blob: { key, size, sha256 } };
}
