/** Where backups are stored. */
import { ConfigError } from "./config-error.ts";
import { type Environment, EnvironmentReader } from "./environment.ts";

export interface LocalStorageConfig {
  readonly driver: "local";
  /** Folder of the database file and the blobs. */
  readonly dataDir: string;
}

export interface AwsStorageConfig {
  readonly driver: "aws";
  readonly region: string;
  readonly bucket: string;
  /** Encrypts objects with this KMS key (SSE-KMS); `null` leaves it to the bucket's default. */
  readonly kmsKeyArn: string | null;
  readonly tables: {
    readonly factorLookup: string;
    readonly backups: string;
    readonly oneTime: string;
    readonly history: string;
  };
  /** A custom endpoint; `null` for AWS's own. */
  readonly s3Endpoint: string | null;
  readonly dynamoDbEndpoint: string | null;
}

export type StorageConfig = LocalStorageConfig | AwsStorageConfig;

export function storageConfig(read: EnvironmentReader, development: boolean): StorageConfig {
  const driver = read.oneOf("STORAGE_DRIVER", ["local", "aws"], development ? "local" : "aws");
  return driver === "local" ? { driver, dataDir: dataDir(read) } : awsStorage(read);
}

/** The folder of the embedded driver's data, and of a generated challenge token key with any driver. */
export function dataDir(read: EnvironmentReader): string {
  return read.text("DATA_DIR", "./data");
}

/**
 * Reads the storage section alone, for operator commands: an operator often has none of the service's secrets.
 *
 * @throws ConfigError
 */
export function loadStorageConfig(env: Environment): StorageConfig {
  const read = new EnvironmentReader(env);
  const environment = read.optional("APP_ENV");
  if (environment === null && read.optional("STORAGE_DRIVER") === null)
    throw new ConfigError([
      "The storage of the backups is not configured: set STORAGE_DRIVER or APP_ENV as for the service.",
      "For the data of a service in development: STORAGE_DRIVER=local",
      "For another folder: STORAGE_DRIVER=local and DATA_DIR. On AWS: STORAGE_DRIVER=aws and the variables of AWS.",
    ]);
  const storage = storageConfig(read, environment === "development");
  if (read.problems.length > 0) throw new ConfigError(read.problems);
  return storage;
}

function awsStorage(read: EnvironmentReader): AwsStorageConfig {
  const endpoints = awsEndpoints(read);
  const because =
    read.optional("STORAGE_DRIVER") === null
      ? "outside development, unless STORAGE_DRIVER=local keeps the backups on this machine"
      : "while STORAGE_DRIVER is aws";
  return {
    driver: "aws",
    region: read.required("AWS_REGION", because),
    bucket: read.required("BACKUP_S3_BUCKET", because),
    kmsKeyArn: read.optional("BACKUP_S3_BUCKET_KMS_KEY_ARN"),
    tables: {
      factorLookup: read.text("DYNAMODB_TABLE_FACTOR_LOOKUP", "backup-service-factor-lookup"),
      backups: read.text("DYNAMODB_TABLE_BACKUPS", "backup-service-backups"),
      oneTime: read.text("DYNAMODB_TABLE_ONE_TIME", "backup-service-one-time"),
      history: read.text("DYNAMODB_TABLE_HISTORY", "backup-service-history"),
    },
    ...endpoints,
  };
}

/** Custom endpoints of AWS; `null` for AWS's own. */
export function awsEndpoints(read: EnvironmentReader) {
  const endpoint = read.url("AWS_ENDPOINT_URL");
  // http: is accepted: a custom endpoint is usually the operator's own store in a private network
  return {
    s3Endpoint: read.url("AWS_ENDPOINT_URL_S3") ?? endpoint,
    dynamoDbEndpoint: read.url("AWS_ENDPOINT_URL_DYNAMODB") ?? endpoint,
  };
}
