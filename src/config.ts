/**
 * Configuration: environment variables in, one frozen object out. Nothing else of the service reads the environment.
 * `.env.example` explains every variable.
 */
import { decodeBase64 } from "./crypto/encoding.ts";

export type AppEnvironment = "production" | "staging" | "development";
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal";

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
  readonly tables: { readonly factorLookup: string; readonly backups: string; readonly oneTime: string };
  /** Endpoints other than AWS's own; `null` is AWS's. */
  readonly s3Endpoint: string | null;
  readonly dynamoDbEndpoint: string | null;
}

export type StorageConfig = LocalStorageConfig | AwsStorageConfig;

/** A key that encrypts challenge tokens: 32 bytes for A256GCM, named by `kid`. */
export interface ChallengeTokenKey {
  readonly kid: string;
  readonly secret: Uint8Array;
}

export interface Config {
  readonly environment: AppEnvironment;
  /** The revision that is running, as `/health` tells it; `null` when it was not given. */
  readonly revision: string | null;
  readonly server: {
    readonly host: string;
    readonly port: number;
    readonly metricsPort: number;
  };
  readonly log: { readonly level: LogLevel; readonly format: "json" | "pretty" };
  readonly storage: StorageConfig;
  readonly challengeTokens: {
    /** The first encrypts, all decrypt. Empty in development only: then a key is generated once into `generatedKeyDir`. */
    readonly keys: readonly ChallengeTokenKey[];
    readonly generatedKeyDir: string;
  };
  readonly limits: {
    readonly maxBackupBytes: number;
    readonly maxMainFactors: number;
    readonly maxSyncFactors: number;
  };
  /** The API reference at `/docs` and `/openapi.json`. */
  readonly apiReference: boolean;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Thrown by {@link loadConfig}; `problems` has one sentence for each thing that is wrong. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the configuration has ${problems.length === 1 ? "a problem" : `${problems.length} problems`}`);
    this.name = "ConfigError";
    this.problems = problems;
  }
}

const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const;
const MAX_BACKUP_BYTES = 15 * 1024 * 1024;

/**
 * Reads the whole configuration.
 *
 * @throws ConfigError with every problem at once.
 */
export function loadConfig(env: Environment): Config {
  const read = new Reader(env);

  const environment = read.requiredOneOf("APP_ENV", ["production", "staging", "development"]);
  const development = environment === "development";
  const driver = read.oneOf("STORAGE_DRIVER", ["local", "aws"], development ? "local" : "aws");
  const dataDir = read.text("DATA_DIR", "./data");
  const keys = read.challengeTokenKeys("CHALLENGE_TOKEN_KEYS");
  if (!development && keys.length === 0)
    read.problem(
      "CHALLENGE_TOKEN_KEYS is required outside development: kid:base64(32 bytes), comma-separated",
    );

  const config: Config = {
    environment,
    revision: read.optional("APP_REVISION"),
    server: {
      host: read.text("HOST", development ? "127.0.0.1" : "0.0.0.0"),
      port: read.integer("PORT", 8000, 0, 65535),
      metricsPort: read.integer("METRICS_PORT", 9090, 0, 65535),
    },
    log: {
      level: read.oneOf("LOG_LEVEL", LOG_LEVELS, "info"),
      format: read.oneOf("LOG_FORMAT", ["json", "pretty"], development ? "pretty" : "json"),
    },
    storage: driver === "local" ? { driver, dataDir } : awsStorage(read),
    challengeTokens: { keys, generatedKeyDir: dataDir },
    limits: {
      maxBackupBytes: read.integer("MAX_BACKUP_BYTES", MAX_BACKUP_BYTES, 1, MAX_BACKUP_BYTES),
      maxMainFactors: read.integer("MAX_MAIN_FACTORS", 10, 1, 10),
      maxSyncFactors: read.integer("MAX_SYNC_FACTORS", 25, 1, 25),
    },
    apiReference: environment !== "production",
  };

  const { port, metricsPort } = config.server;
  if (port !== 0 && port === metricsPort) read.problem(`PORT and METRICS_PORT are both ${port}`);
  if (read.problems.length > 0) throw new ConfigError(read.problems);
  return deepFreeze(config);
}

function awsStorage(read: Reader): AwsStorageConfig {
  const endpoint = read.url("AWS_ENDPOINT_URL");
  return {
    driver: "aws",
    region: read.required("AWS_REGION"),
    bucket: read.required("BACKUP_S3_BUCKET"),
    kmsKeyArn: read.optional("BACKUP_S3_BUCKET_KMS_KEY_ARN"),
    tables: {
      factorLookup: read.text("DYNAMODB_TABLE_FACTOR_LOOKUP", "backup-service-factor-lookup"),
      backups: read.text("DYNAMODB_TABLE_BACKUPS", "backup-service-backups"),
      oneTime: read.text("DYNAMODB_TABLE_ONE_TIME", "backup-service-one-time"),
    },
    s3Endpoint: read.url("AWS_ENDPOINT_URL_S3") ?? endpoint,
    dynamoDbEndpoint: read.url("AWS_ENDPOINT_URL_DYNAMODB") ?? endpoint,
  };
}

/** Reads variables one by one and collects what is wrong with them. An empty value counts as not set. */
class Reader {
  readonly problems: string[] = [];
  readonly #env: Environment;

  constructor(env: Environment) {
    this.#env = env;
  }

  problem(sentence: string): void {
    this.problems.push(sentence);
  }

  optional(name: string): string | null {
    const value = this.#env[name]?.trim();
    return value === undefined || value === "" ? null : value;
  }

  text(name: string, fallback: string): string {
    return this.optional(name) ?? fallback;
  }

  required(name: string): string {
    const value = this.optional(name);
    if (value === null) this.problem(`${name} is required`);
    return value ?? "";
  }

  oneOf<const T extends string>(name: string, choices: readonly T[], fallback: T): T {
    const value = this.optional(name);
    if (value === null) return fallback;
    const choice = choices.find((candidate) => candidate === value);
    if (choice === undefined) this.problem(`${name} must be one of ${choices.join(", ")}, not "${value}"`);
    return choice ?? fallback;
  }

  requiredOneOf<const T extends string>(name: string, choices: readonly [T, ...T[]]): T {
    if (this.optional(name) === null) this.problem(`${name} is required: one of ${choices.join(", ")}`);
    return this.oneOf(name, choices, choices[0]);
  }

  integer(name: string, fallback: number, min: number, max: number): number {
    const value = this.optional(name);
    if (value === null) return fallback;
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (number >= min && number <= max) return number;
    this.problem(`${name} must be a whole number from ${min} to ${max}, not "${value}"`);
    return fallback;
  }

  url(name: string): string | null {
    const value = this.optional(name);
    if (value === null) return null;
    const url = URL.parse(value);
    if (url !== null && (url.protocol === "http:" || url.protocol === "https:")) return value;
    this.problem(`${name} must be an http or https URL, not "${value}"`);
    return null;
  }

  /** `kid:base64(32 bytes)`, comma-separated. Says nothing of the secrets when one of them is wrong. */
  challengeTokenKeys(name: string): ChallengeTokenKey[] {
    const keys: ChallengeTokenKey[] = [];
    for (const [index, entry] of (this.optional(name)?.split(",") ?? []).entries()) {
      const [, kid = "", encoded = ""] = /^([^:]*):(.*)$/.exec(entry.trim()) ?? [];
      const secret = decodeBase64(encoded);
      const where = `${name}, entry ${index + 1}`;
      if (!/^[\w.-]{1,64}$/.test(kid))
        this.problem(`${where}: must be kid:base64, the kid 1-64 of A-Z a-z 0-9 _ . -`);
      else if (keys.some((key) => key.kid === kid)) this.problem(`${where}: the kid "${kid}" is there twice`);
      else if (secret?.length !== 32) this.problem(`${where}: the key "${kid}" must be 32 bytes in base64`);
      else keys.push({ kid, secret });
    }
    return keys;
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value) && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}
