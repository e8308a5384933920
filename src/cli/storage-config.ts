import { stat } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError, type Environment, loadConfig, type StorageConfig } from "../config.ts";
import { DATABASE } from "../storage/local/layout.ts";

/**
 * Where the backups are: only the variables that say so are read, since an operator of the storage often has none
 * of the service's secrets. Which driver it is when none is named depends on `APP_ENV`, as for the service.
 *
 * @throws ConfigError
 */
export function loadStorageConfig(env: Environment): StorageConfig {
  const driver = env.STORAGE_DRIVER?.trim() || defaultDriver(env);
  const relevant = Object.entries(env).filter(([name]) => /^(AWS|BACKUP_S3|DYNAMODB)_|^DATA_DIR$/.test(name));
  return loadConfig({ ...Object.fromEntries(relevant), APP_ENV: "development", STORAGE_DRIVER: driver })
    .storage;
}

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

function defaultDriver({ APP_ENV }: Environment): string {
  const environment = APP_ENV?.trim() ?? "";
  if (environment === "")
    throw new ConfigError([
      "It is not known where the backups are: set STORAGE_DRIVER or APP_ENV as for the service.",
      "For the data of bun run dev: STORAGE_DRIVER=local",
      "For another folder: STORAGE_DRIVER=local and DATA_DIR. On AWS: STORAGE_DRIVER=aws and the variables of AWS.",
    ]);
  return environment === "development" ? "local" : "aws";
}
