import { stat } from "node:fs/promises";
import { join } from "node:path";
import { DATABASE } from "../storage/local/layout.ts";

/**
 * Opening a folder that is not there would make one, and an empty one is healthy.
 *
 * @throws Error when a data folder holds no database.
 */
export async function requireDatabase(dataDir: string): Promise<void> {
  try {
    await stat(join(dataDir, DATABASE));
  } catch (error) {
    throw new Error(`there are no backups in ${dataDir}: set DATA_DIR to the data folder of the service`, {
      cause: error,
    });
  }
}
