/**
 * Configuration: environment variables in, one frozen object out. Nothing else of the service reads the environment.
 * `.env.example` explains every variable.
 */
import { deepFreeze } from "./deep-freeze.ts";
import { type ChallengeTokenKey, type Environment, EnvironmentReader } from "./environment.ts";

export type { ChallengeTokenKey, Environment } from "./environment.ts";

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

/** What the WebAuthn relying party calls itself and where its ceremonies may take place. */
export interface WebAuthnConfig {
  /** A domain name (WebAuthn L3 §4, "RP ID"). */
  readonly rpId: string;
  /** What the user is shown. */
  readonly rpName: string;
  /** Web origins and app origins (`android:apk-key-hash:…`), compared to the letter. Never empty. */
  readonly origins: readonly string[];
}

/** A provider of id_tokens. `clientIds` are the audiences that count; the first is the usual one. Never empty. */
export interface OidcProviderConfig {
  readonly clientIds: readonly [string, ...string[]];
  readonly issuer: string;
  readonly jwksUrl: string;
}

/** `null`: accounts of that provider are not accepted. */
export interface OidcConfig {
  /** Whether the service itself issues id_tokens, to anybody: in development only. */
  readonly testIssuer: boolean;
  readonly google: OidcProviderConfig | null;
  readonly apple: OidcProviderConfig | null;
}

export interface AttestationConfig {
  /** `report` lets every request through and says what would have been wrong; `off` checks nothing. */
  readonly mode: "enforce" | "report" | "off";
  /** Where the gateway publishes its keys; `null` when there is no gateway. */
  readonly jwksUrl: string | null;
  readonly issuer: string;
  readonly audience: string;
  /** A header that passes instead of a token; `null` in production. */
  readonly bypassToken: string | null;
}

/** How much a client address and a backup is allowed. */
export interface RateLimitConfig {
  readonly addressChallengesPerMinute: number;
  readonly addressFailuresPerMinute: number;
  readonly addressDestructionsPerMinute: number;
  readonly addressStatusPerMinute: number;
  readonly addressCreatesPerHour: number;
  readonly addressCreatedBytesPerHour: number;
  readonly backupFailuresPerHour: number;
  readonly backupDestructionsPerHour: number;
}

export interface Config {
  readonly environment: AppEnvironment;
  /** The revision that is running, for `/health`; `null` when it was not given. */
  readonly revision: string | null;
  readonly server: {
    readonly host: string;
    readonly port: number;
    readonly metricsHost: string;
    readonly metricsPort: number;
    /** Whether other processes of this machine may serve the same port. */
    readonly reusePort: boolean;
    /** How long after a signal the service still serves, while `/ready` says that it is not ready. */
    readonly shutdownDrainSeconds: number;
    /** How many proxies of the operator's a request passes; they report the client's address. */
    readonly trustedProxyHops: number;
    /** The origins whose web pages may call the API; `loopback`: those of this machine too, whatever their port. */
    readonly cors: { readonly origins: readonly string[]; readonly loopback: boolean };
  };
  /** `null`: no limits. */
  readonly rateLimits: RateLimitConfig | null;
  readonly log: { readonly level: LogLevel; readonly format: "json" | "pretty" };
  readonly storage: StorageConfig;
  readonly challengeTokens: {
    /**
     * The first encrypts, all decrypt. Empty in development only: then a key is generated once into `generatedKeyDir`.
     */
    readonly keys: readonly ChallengeTokenKey[];
    readonly generatedKeyDir: string;
  };
  readonly limits: {
    readonly maxBackupBytes: number;
    /** Memory that bodies of requests may take together. */
    readonly maxInFlightUploadBytes: number;
    /** How much free disk creates leave to the other operations, where the storage is a disk; 0 for none. */
    readonly minFreeDiskBytes: number;
    /** Temporary disk that large answers may take together. */
    readonly maxInFlightAnswerBytes: number;
    readonly maxMainFactors: number;
    readonly maxSyncFactors: number;
  };
  readonly webauthn: WebAuthnConfig;
  readonly oidc: OidcConfig;
  readonly attestation: AttestationConfig;
  /** Whether a client that creates a backup must prove that it has the key of its account id. */
  readonly enforceBackupAccountProof: boolean;
  /** The API reference at `/docs` and `/openapi.json`. */
  readonly apiReference: boolean;
}

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
const DOMAIN_NAME =
  /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const MIB = 1024 * 1024;
const MAX_BACKUP_BYTES = 15 * MIB;

/**
 * Reads the whole configuration.
 *
 * @throws ConfigError with every problem at once.
 */
export function loadConfig(env: Environment): Config {
  const read = new EnvironmentReader(env);

  const environment = read.requiredOneOf("APP_ENV", ["production", "staging", "development"]);
  const development = environment === "development";
  const driver = read.oneOf("STORAGE_DRIVER", ["local", "aws"], development ? "local" : "aws");
  const dataDir = read.text("DATA_DIR", "./data");
  const keys = read.challengeTokenKeys("CHALLENGE_TOKEN_KEYS");
  if (!development && keys.length === 0)
    read.problem(
      'CHALLENGE_TOKEN_KEYS is required outside development: make one with echo "k1:$(openssl rand -base64 32)"',
    );

  const host = read.text("HOST", development ? "127.0.0.1" : "0.0.0.0");
  const port = read.integer("PORT", 8000, 0, 65535);

  const config: Config = {
    environment,
    revision: read.optional("APP_REVISION"),
    server: {
      host,
      port,
      metricsHost: read.text("METRICS_HOST", host),
      metricsPort: read.integer("METRICS_PORT", 9090, 0, 65535),
      reusePort: read.boolean("REUSE_PORT", false),
      shutdownDrainSeconds: read.integer("SHUTDOWN_DRAIN_SECONDS", development ? 0 : 10, 0, 600),
      trustedProxyHops: read.defaultOrRequiredInteger(
        "TRUSTED_PROXY_HOPS",
        development ? 0 : null,
        0,
        10,
        "how many proxies of yours a request passes, 0 where clients connect directly",
      ),
      cors: { origins: read.origins("CORS_ORIGINS"), loopback: development },
    },
    rateLimits: rateLimits(read, !development),
    log: {
      level: read.oneOf("LOG_LEVEL", LOG_LEVELS, "info"),
      format: read.oneOf("LOG_FORMAT", ["json", "pretty"], development ? "pretty" : "json"),
    },
    storage: driver === "local" ? { driver, dataDir } : awsStorage(read),
    challengeTokens: { keys, generatedKeyDir: dataDir },
    limits: {
      maxBackupBytes: read.integer("MAX_BACKUP_BYTES", MAX_BACKUP_BYTES, 1, MAX_BACKUP_BYTES),
      maxInFlightUploadBytes: read.integer(
        "MAX_IN_FLIGHT_UPLOAD_BYTES",
        256 * MIB,
        MAX_BACKUP_BYTES + 2 * MIB,
        1024 * 1024 * MIB,
      ),
      minFreeDiskBytes: read.integer("MIN_FREE_DISK_BYTES", 512 * MIB, 0, 1024 * 1024 * MIB),
      maxInFlightAnswerBytes: read.integer(
        "MAX_IN_FLIGHT_ANSWER_BYTES",
        4096 * MIB,
        256 * MIB,
        1024 * 1024 * MIB,
      ),
      maxMainFactors: read.integer("MAX_MAIN_FACTORS", 10, 1, 10),
      maxSyncFactors: read.integer("MAX_SYNC_FACTORS", 25, 1, 25),
    },
    webauthn: webauthn(read, development ? new URL(`http://localhost:${port}`).origin : null),
    oidc: oidc(read, development),
    attestation: attestation(read, environment),
    enforceBackupAccountProof: read.boolean("ENFORCE_BACKUP_ACCOUNT_PROOF", false),
    apiReference: environment !== "production",
  };

  const { metricsPort } = config.server;
  if (port !== 0 && port === metricsPort) read.problem(`PORT and METRICS_PORT are both ${port}`);
  if (read.problems.length > 0) throw new ConfigError(read.problems);
  return deepFreeze(config);
}

function rateLimits(read: EnvironmentReader, byDefault: boolean): RateLimitConfig | null {
  const most = 1_000_000;
  const limits = {
    addressChallengesPerMinute: read.integer("RATE_LIMIT_ADDRESS_CHALLENGES_PER_MINUTE", 6_000, 1, most),
    addressFailuresPerMinute: read.integer("RATE_LIMIT_ADDRESS_FAILURES_PER_MINUTE", 600, 1, most),
    addressDestructionsPerMinute: read.integer("RATE_LIMIT_ADDRESS_DESTRUCTIONS_PER_MINUTE", 300, 1, most),
    addressStatusPerMinute: read.integer("RATE_LIMIT_ADDRESS_STATUS_PER_MINUTE", 600, 1, most),
    addressCreatesPerHour: read.integer("RATE_LIMIT_ADDRESS_CREATES_PER_HOUR", 60, 1, most),
    addressCreatedBytesPerHour: read.integer(
      "RATE_LIMIT_ADDRESS_CREATED_BYTES_PER_HOUR",
      1024 * MIB,
      MAX_BACKUP_BYTES, // or the largest backup could never be created
      most * MAX_BACKUP_BYTES,
    ),
    backupFailuresPerHour: read.integer("RATE_LIMIT_BACKUP_FAILURES_PER_HOUR", 120, 1, most),
    backupDestructionsPerHour: read.integer("RATE_LIMIT_BACKUP_DESTRUCTIONS_PER_HOUR", 60, 1, most),
  };
  return read.boolean("RATE_LIMITS", byDefault) ? limits : null;
}

function awsStorage(read: EnvironmentReader): AwsStorageConfig {
  const endpoint = read.url("AWS_ENDPOINT_URL");
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
    },
    // http: is not refused: other endpoints than AWS's are stores of the operator's own, in a network of their own
    s3Endpoint: read.url("AWS_ENDPOINT_URL_S3") ?? endpoint,
    dynamoDbEndpoint: read.url("AWS_ENDPOINT_URL_DYNAMODB") ?? endpoint,
  };
}

function webauthn(read: EnvironmentReader, developmentOrigin: string | null): WebAuthnConfig {
  const rpId =
    developmentOrigin === null
      ? read.required("WEBAUTHN_RP_ID", "outside development: a domain name, such as example.com")
      : read.text("WEBAUTHN_RP_ID", "localhost");
  if (rpId !== "" && !DOMAIN_NAME.test(rpId))
    read.problem(`WEBAUTHN_RP_ID must be a domain name in lower case, not "${rpId}"`);
  const origins = read.list("WEBAUTHN_ORIGINS") ?? (developmentOrigin === null ? null : [developmentOrigin]);
  if (origins === null)
    read.problem(
      "WEBAUTHN_ORIGINS is required outside development: comma-separated, such as https://example.com",
    );
  for (const origin of origins ?? [])
    if (!isWebAuthnOrigin(origin))
      read.problem(
        `WEBAUTHN_ORIGINS: "${origin}" is neither https://host[:port] nor android:apk-key-hash:<base64url>`,
      );
  return { rpId, rpName: read.text("WEBAUTHN_RP_NAME", "Backup Service"), origins: origins ?? [] };
}

/** An origin as clients write it, of a secure context: anything else would never be equal to one. */
function isWebAuthnOrigin(origin: string): boolean {
  if (/^android:apk-key-hash:[A-Za-z0-9_-]+$/.test(origin)) return true;
  const url = URL.parse(origin);
  if (url === null || url.origin !== origin) return false;
  return url.protocol === "https:" || (url.protocol === "http:" && url.hostname === "localhost");
}

function oidc(read: EnvironmentReader, development: boolean): OidcConfig {
  const googleClientId = read.optional("GOOGLE_CLIENT_ID");
  const [google, apple] = [
    {
      issuer: read.text("GOOGLE_ISSUER", "https://accounts.google.com"),
      jwksUrl: read.keyUrl("GOOGLE_JWKS_URL", development) ?? "https://www.googleapis.com/oauth2/v3/certs",
    },
    {
      issuer: read.text("APPLE_ISSUER", "https://appleid.apple.com"),
      jwksUrl: read.keyUrl("APPLE_JWKS_URL", development) ?? "https://appleid.apple.com/auth/keys",
    },
  ];
  const appleClientIds = read.list("APPLE_CLIENT_IDS");
  const isConfigured = googleClientId !== null || appleClientIds !== null;
  const testIssuer = read.boolean("OIDC_TEST_ISSUER", development && !isConfigured);
  if (testIssuer && !development)
    read.problem("OIDC_TEST_ISSUER is for development only: it signs in anybody as anybody");
  if (testIssuer && isConfigured)
    read.problem(
      "OIDC_TEST_ISSUER takes the place of GOOGLE_CLIENT_ID and APPLE_CLIENT_IDS: set one or the other",
    );
  if (testIssuer) {
    const provider = { clientIds: ["test-client"], jwksUrl: "" } as const;
    return {
      testIssuer,
      google: { ...provider, issuer: google.issuer },
      apple: { ...provider, issuer: apple.issuer },
    };
  }
  return {
    testIssuer,
    google: googleClientId === null ? null : { clientIds: [googleClientId], ...google },
    apple: appleClientIds === null ? null : { clientIds: appleClientIds, ...apple },
  };
}

function attestation(read: EnvironmentReader, environment: AppEnvironment): AttestationConfig {
  const development = environment === "development";
  const mode = read.oneOf("ATTESTATION", ["enforce", "report", "off"], development ? "report" : "enforce");
  const gatewayUrl = read.keyUrl("ATTESTATION_GATEWAY_URL", development);
  const bypassToken = read.optional("ATTESTATION_GATEWAY_BYPASS_TOKEN");
  const canDoWithout = mode === "off" || (development && (mode === "report" || bypassToken !== null));
  if (gatewayUrl === null && !canDoWithout)
    read.problem(
      `ATTESTATION_GATEWAY_URL is required while ATTESTATION is ${mode}; ATTESTATION=off needs no gateway`,
    );
  if (bypassToken !== null && environment === "production")
    read.problem("ATTESTATION_GATEWAY_BYPASS_TOKEN must not be set in production");
  return {
    mode,
    jwksUrl: gatewayUrl && `${gatewayUrl.replace(/\/+$/, "")}/.well-known/jwks.json`,
    issuer: read.text("ATTESTATION_ISSUER", "attestation.worldcoin.org"),
    audience: read.text("ATTESTATION_AUDIENCE", "toolsforhumanity.com"),
    bypassToken,
  };
}
