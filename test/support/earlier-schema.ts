import { Database } from "bun:sqlite";
import { join } from "node:path";

/** What each step of the migrations has added, undone. */
const UNDO: Readonly<Record<number, readonly string[]>> = {
  3: [
    "ALTER TABLE backups DROP COLUMN versions",
    ...["deleted_backups", "collections", "events", "outbox"].map((table) => `DROP TABLE ${table}`),
  ],
  2: ["DROP TABLE marks", "DROP TABLE restores"],
};

/** Makes the database of a data folder one that an earlier version of the service wrote. No process may have it open. */
export function toEarlierSchema(dataDir: string, version: 1 | 2): void {
  const database = new Database(join(dataDir, "records.sqlite"));
  for (let step = 3; step > version; step--) for (const undo of UNDO[step] ?? []) database.run(undo);
  database.run(`PRAGMA user_version = ${version}`);
  database.close();
}
