/**
 * SQLite applies the log `records.sqlite-wal` to the database in the same folder, whichever database it was written for.
 * A killed service leaves its log. If the database is then replaced by that of a copy, SQLite would mix the two.
 */
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { orNullIfMissing } from "../../runtime/system-errors.ts";
import { DATABASE } from "./layout.ts";

/** "File format write version" and "read version" (SQLite file format §1.3): 1 without a log, 2 with one. */
const VERSIONS_AT = 18;
const WITHOUT_LOG = 1;

/** The log in the folder is that of another database; the message says what to do. */
class ForeignLog extends Error {
  override name = "ForeignLog";
  readonly code = "FOREIGN_LOG";

  constructor(dataDir: string) {
    const [database, log, index] = ["", "-wal", "-shm"].map((suffix) => `${DATABASE}${suffix}`);
    super(
      `${database} in ${dataDir} was put in the place of another database, whose log ${log} is still there: ` +
        `move ${log} and ${index} to another folder`,
    );
  }
}

/**
 * Requires that a log in the folder is that of the database. SQLite marks a database as one with a log before it creates
 * the log, and deletes the log before it removes that mark. A copy has neither.
 *
 * @throws ForeignLog
 */
export async function requireOwnLog(dataDir: string): Promise<void> {
  const path = join(dataDir, DATABASE);
  // the log is checked twice: another process may remove it and then write that there is none
  if ((await hasLog(dataDir)) && (await isWithoutLog(path)) && (await hasLog(dataDir)))
    throw new ForeignLog(dataDir);
}

async function hasLog(dataDir: string): Promise<boolean> {
  return ((await orNullIfMissing(stat(join(dataDir, `${DATABASE}-wal`))))?.size ?? 0) > 0;
}

async function isWithoutLog(path: string): Promise<boolean> {
  await using file = await orNullIfMissing(open(path, "r"));
  const found = await file?.read(new Uint8Array(2), 0, 2, VERSIONS_AT);
  return found?.bytesRead === 2 && found.buffer.includes(WITHOUT_LOG);
}
