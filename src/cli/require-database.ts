import { join } from "node:path";
import { DATABASE } from "../storage/local/layout.ts";

/**
 * Checks that there is a database: opening a missing folder would create one, and the doctor finds nothing in an empty one.
 *
 * @throws Error when a data folder holds no database.
 */
export async function requireDatabase(dataDir: string): Promise<void> {
  if (!(await hasDatabase(dataDir)))
    throw new Error(`there are no backups in ${dataDir}: set DATA_DIR to the data folder of the service`);
}

/** Whether a data folder holds a database. */
export function hasDatabase(dataDir: string): Promise<boolean> {
  return Bun.file(join(dataDir, DATABASE)).exists();
}
