import { stat } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError, type Environment, loadConfig, type StorageConfig } from "../config.ts";

/**
 * Where the backups are: only the variables that say so are read, since whoever looks after the storage often has none
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
    await stat(join(dataDir, "records.sqlite"));
  } catch (error) {
    throw new Error(`there are no backups in ${dataDir}`, { cause: error });
  }
}

function defaultDriver({ APP_ENV }: Environment): string {
  const environment = APP_ENV?.trim() ?? "";
  if (environment === "")
    throw new ConfigError(["set STORAGE_DRIVER to local or aws, or APP_ENV to what the service runs with"]);
  return environment === "development" ? "local" : "aws";
}
