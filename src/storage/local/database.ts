/** The SQLite file of the records: in WAL mode, durable at every commit. */
import { Database } from "bun:sqlite";
import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../runtime/clock.ts";
import { makeFolder } from "../../runtime/folders.ts";
import { lockCopyMark, MARK } from "./copy/mark.ts";
import { requireOwnLog } from "./foreign-log.ts";
import { BUSY_PAUSE_MS } from "./group-commit.ts";
import { DATABASE } from "./layout.ts";
import * as marks from "./marks.ts";
import { migrate } from "./migrations.ts";
import { isOutage } from "./outage.ts";

export interface DatabaseOptions {
  readonly dataDir: string;
  readonly busyTimeoutMs: number;
  /** Whether a service opens it. Then a copy becomes the folder of a service: see copy/mark.ts. */
  readonly serves: boolean;
  readonly clock: Clock;
}

/**
 * Opens (and creates or migrates) `records.sqlite` in `dataDir`. The folder is made with mode 0700, the file with 0600.
 *
 * @throws CopyUnusable when a service is to open a copy that is not complete; ForeignLog.
 */
export async function openDatabase({
  dataDir,
  busyTimeoutMs,
  serves,
  clock,
}: DatabaseOptions): Promise<Database> {
  await makeFolder(dataDir);
  using mark = serves ? await lockCopyMark(dataDir, busyTimeoutMs) : null;
  const path = join(dataDir, DATABASE);
  await requireOwnLog(dataDir);
  closeSync(openSync(path, "a", 0o600)); // the -wal and -shm files get the same mode
  const database = new Database(path, { readwrite: true, strict: true });
  try {
    database.run(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
    database.run("PRAGMA journal_mode = WAL");
    database.run("PRAGMA synchronous = FULL"); // NORMAL may lose the last commits at power loss
    migrate(database, existsSync(join(dataDir, MARK)));
    if (serves) marks.takeIntoService(database, clock.nowMs());
    await mark?.remove(); // after the commit: until then a copy has both marks
    database.run(`PRAGMA busy_timeout = ${BUSY_PAUSE_MS}`); // from here on GroupCommit waits
  } catch (error) {
    database.close();
    throw error;
  }
  return database;
}

/**
 * Closes a database. A copy has no log afterwards, so that a log next to it is known to be foreign: see foreign-log.ts.
 */
export function closeDatabase(database: Database): void {
  if (marks.copiedAtMsOf(database) !== null) removeLog(database);
  database.close();
}

function removeLog(database: Database): void {
  try {
    database.run("PRAGMA journal_mode = DELETE");
  } catch (error) {
    if (!isOutage(error)) throw error; // another process has it open, and will remove the log
  }
}
