/**
 * SQLite applies the log `records.sqlite-wal` that it finds beside a database, whichever database that log is of. A killed
 * service leaves its log; where the database of a copy is then put in the place of the service's own, SQLite would mix the
 * two, and at best nothing would say afterwards that the database is a copy.
 */
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { orNullIfMissing } from "../../runtime/system-errors.ts";
import { DATABASE } from "./layout.ts";

/** "File format write version" and "read version" (SQLite file format §1.3): 1 without a log, 2 with one. */
const VERSIONS_AT = 18;
const WITHOUT_LOG = 1;

/** A database beside the log of another one; the message says what to do. */
class ForeignLog extends Error {
  readonly code = "FOREIGN_LOG";

  constructor(dataDir: string) {
    const [database, log, index] = ["", "-wal", "-shm"].map((suffix) => `${DATABASE}${suffix}`);
    super(
      `${database} in ${dataDir} was put in the place of another database, whose log ${log} is still there: ` +
        `move ${log} and ${index} to another folder`,
    );
    this.name = "ForeignLog";
  }
}

/**
 * Requires that a log beside the database is its own. SQLite writes into a database that it has a log before it makes the
 * log, and removes the log before it writes that there is none; a copy is made without a log.
 *
 * @throws ForeignLog
 */
export async function requireOwnLog(dataDir: string): Promise<void> {
  const foreign =
    (await hasLog(dataDir)) && (await isWithoutLog(join(dataDir, DATABASE))) && (await hasLog(dataDir)); // another process may have removed it, and written so, since the first look
  if (foreign) throw new ForeignLog(dataDir);
}

async function hasLog(dataDir: string): Promise<boolean> {
  return ((await orNullIfMissing(stat(join(dataDir, `${DATABASE}-wal`))))?.size ?? 0) > 0;
}

async function isWithoutLog(path: string): Promise<boolean> {
  const file = await orNullIfMissing(open(path, "r"));
  if (file === null) return false;
  try {
    const { buffer, bytesRead } = await file.read(new Uint8Array(2), 0, 2, VERSIONS_AT);
    return bytesRead === 2 && buffer.includes(WITHOUT_LOG);
  } finally {
    await file.close();
  }
}
