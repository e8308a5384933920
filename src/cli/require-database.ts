import { join } from "node:path";
import { DATABASE } from "../storage/local/layout.ts";

/**
 * Opening a folder that is not there would make one, and an empty one is healthy.
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
