import { describe, expect, test } from "bun:test";
import { loadConfig } from "../../src/config/config.ts";
import { ConfigError } from "../../src/config/config-error.ts";
import { development, GATEWAY, problemsOf, production, reads, refuses, requires } from "./environments.ts";

/** Defaults that do not depend on the environment. */
const EVERYWHERE = {
  app: null,
  revision: null,
  tracing: null,
  adoption: null,
  limits: {
    maxBackupBytes: 15_728_640,
    maxInFlightUploadBytes: 268_435_456,
    minFreeDiskBytes: 536_870_912,
    maxInFlightAnswerBytes: 4_294_967_296,
    maxMainFactors: 10,
    maxSyncFactors: 25,
  },
  appLinks: { android: [], apple: [], relatedOrigins: [] },
  addFactor: { existingOidc: true, binding: "optional" },
  webhook: null,
  history: {
    versions: { keepLast: 2, keepDays: 7 },
    deletedKeepMs: 604_800_000,
    eventsKeepMs: 31_536_000_000,
  },
  enforceBackupAccountProof: false,
} as const;

describe("the defaults", () => {
  test("of development need nothing but the name of it", () => {
    expect(loadConfig(development)).toEqual({
      ...EVERYWHERE,
      environment: "development",
      server: {
        host: "127.0.0.1",
        port: 8000,
        metricsHost: "127.0.0.1",
        metricsPort: 9090,
        reusePort: false,
        shutdownDrainSeconds: 0,
        trustedProxyHops: 0,
        cors: { origins: [], loopback: true },
      },
      rateLimits: null,
      log: { level: "info", format: "pretty" },
      storage: { driver: "local", dataDir: "./data" },
      challengeTokens: { keys: [], generatedKeyDir: "./data" },
      webauthn: { rpId: "localhost", rpName: "Backup Service", origins: ["http://localhost:8000"] },
      oidc: {
        testIssuer: true,
        google: { clientIds: ["test-client"], issuer: "https://accounts.google.com", jwksUrl: "" },
        apple: { clientIds: ["test-client"], issuer: "https://appleid.apple.com", jwksUrl: "" },
      },
      attestation: {
        mode: "report",
        jwksUrl: null,
        issuer: "attestation.worldcoin.org",
        audience: "toolsforhumanity.com",
        bypassToken: null,
      },
      apiReference: true,
    });
  });

  test("of production are these", () => {
    expect(loadConfig(production)).toEqual({
      ...EVERYWHERE,
      environment: "production",
      server: {
        host: "0.0.0.0",
        port: 8000,
        metricsHost: "0.0.0.0",
        metricsPort: 9090,
        reusePort: false,
        shutdownDrainSeconds: 10,
        trustedProxyHops: 0,
        cors: { origins: [], loopback: false },
      },
      rateLimits: {
        addressChallengesPerMinute: 6_000,
        addressFailuresPerMinute: 600,
        addressDestructionsPerMinute: 300,
        addressStatusPerMinute: 600,
        addressCreatesPerHour: 60,
        addressCreatedBytesPerHour: 1_073_741_824,
        backupFailuresPerHour: 120,
        backupDestructionsPerHour: 60,
        backupRestoresPerHour: 60,
      },
      log: { level: "info", format: "json" },
      storage: {
        driver: "aws",
        region: "eu-central-1",
        bucket: "backups",
        kmsKeyArn: null,
        tables: {
          factorLookup: "backup-service-factor-lookup",
          backups: "backup-service-backups",
          oneTime: "backup-service-one-time",
          history: "backup-service-history",
        },
        s3Endpoint: null,
        dynamoDbEndpoint: null,
      },
      challengeTokens: {
        keys: [{ kid: "k1", secret: Buffer.alloc(32, 1) }],
        generatedKeyDir: "./data",
      },
      webauthn: { rpId: "backup.example", rpName: "Backup Service", origins: ["https://backup.example"] },
      oidc: { testIssuer: false, google: null, apple: null },
      attestation: {
        mode: "enforce",
        jwksUrl: `${GATEWAY}/.well-known/jwks.json`,
        issuer: "attestation.worldcoin.org",
        audience: "toolsforhumanity.com",
        bypassToken: null,
      },
      apiReference: false,
    });
  });

  test("of staging are those of production, with the API reference", () => {
    expect(loadConfig({ ...production, APP_ENV: "staging" })).toEqual({
      ...loadConfig(production),
      environment: "staging",
      apiReference: true,
    });
  });

  test("also count where a variable is empty or blank", () => {
    const names = [
      "APP_REVISION",
      "HOST",
      "PORT",
      "METRICS_PORT",
      "METRICS_HOST",
      "SHUTDOWN_DRAIN_SECONDS",
      "LOG_LEVEL",
      "LOG_FORMAT",
      "STORAGE_DRIVER",
      "DATA_DIR",
      "CHALLENGE_TOKEN_KEYS",
      "MAX_BACKUP_BYTES",
      "MIN_FREE_DISK_BYTES",
      "MAX_MAIN_FACTORS",
      "MAX_SYNC_FACTORS",
      "WEBAUTHN_RP_ID",
      "WEBAUTHN_RP_NAME",
      "WEBAUTHN_ORIGINS",
      "GOOGLE_CLIENT_ID",
      "GOOGLE_JWKS_URL",
      "GOOGLE_ISSUER",
      "APPLE_CLIENT_IDS",
      "APPLE_JWKS_URL",
      "APPLE_ISSUER",
      "ATTESTATION",
      "OIDC_TEST_ISSUER",
      "ATTESTATION_GATEWAY_URL",
      "ATTESTATION_ISSUER",
      "ATTESTATION_AUDIENCE",
      "ATTESTATION_GATEWAY_BYPASS_TOKEN",
      "WEBHOOK_URL",
      "WEBHOOK_SECRETS",
      "ENFORCE_BACKUP_ACCOUNT_PROOF",
      "CORS_ORIGINS",
      "WEBHOOK_URL",
      "WEBHOOK_SECRETS",
    ];
    for (const blank of ["", "  "])
      expect(
        loadConfig({ ...development, ...Object.fromEntries(names.map((name) => [name, blank])) }),
      ).toEqual(loadConfig(development));
  });
});

describe("the configuration", () => {
  requires(["APP_ENV"]);

  reads([
    [{ APP_REVISION: "abc123" }, { revision: "abc123" }],
    [{ ENFORCE_BACKUP_ACCOUNT_PROOF: "true" }, { enforceBackupAccountProof: true }],
    [{ ENFORCE_BACKUP_ACCOUNT_PROOF: "false" }, { enforceBackupAccountProof: false }],
  ]);

  refuses([["ENFORCE_BACKUP_ACCOUNT_PROOF", ["yes", "1", "True", "on"]]]);

  test.each(["prod", "Production", "test"])("refuses the environment %s", (environment) => {
    expect(problemsOf({ ...production, APP_ENV: environment })).toEqual([
      `APP_ENV must be one of production, staging, development, not "${environment}"`,
    ]);
  });

  test("reports all problems together", () => {
    const problems = problemsOf({
      APP_ENV: "production",
      PORT: "x",
      LOG_LEVEL: "x",
      AWS_ENDPOINT_URL: "x",
      MAX_MAIN_FACTORS: "x",
      WEBAUTHN_ORIGINS: "x,y",
      GOOGLE_JWKS_URL: "x",
      ATTESTATION_GATEWAY_BYPASS_TOKEN: "x",
      WEBHOOK_URL: "x",
      WEBHOOK_SECRETS: "x",
      ENFORCE_BACKUP_ACCOUNT_PROOF: "x",
    });
    const reported = [
      "PORT",
      "TRUSTED_PROXY_HOPS",
      "LOG_LEVEL",
      "AWS_ENDPOINT_URL",
      "AWS_REGION",
      "BACKUP_S3_BUCKET",
      "CHALLENGE_TOKEN_KEYS",
      "WEBHOOK_URL",
      "WEBHOOK_SECRETS",
      "WEBAUTHN_RP_ID",
      "WEBAUTHN_ORIGINS",
      "WEBAUTHN_ORIGINS",
      "MAX_MAIN_FACTORS",
      "GOOGLE_JWKS_URL",
      "ATTESTATION_GATEWAY_URL",
      "ATTESTATION_GATEWAY_BYPASS_TOKEN",
      "ENFORCE_BACKUP_ACCOUNT_PROOF",
    ];
    expect(problems.map((problem) => /^[A-Z0-9_]+/.exec(problem)?.[0])).toEqual(reported);
  });

  test("reports them as one error that counts them", () => {
    expect(() => loadConfig({})).toThrow(ConfigError);
    expect(() => loadConfig({ ...development, PORT: "x" })).toThrow("the configuration has a problem");
    expect(() => loadConfig({ ...development, PORT: "x", HOST: "y", LOG_LEVEL: "z" })).toThrow(
      "the configuration has 2 problems",
    );
  });

  test("is frozen all the way down", () => {
    const config = loadConfig({
      ...production,
      GOOGLE_CLIENT_ID: "g",
      APPLE_CLIENT_IDS: "a,b",
    });
    const thawed: string[] = [];
    const visit = (value: unknown, path: string): void => {
      if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return;
      if (!Object.isFrozen(value)) thawed.push(path);
      for (const [name, member] of Object.entries(value)) visit(member, `${path}.${name}`);
    };
    visit(config, "config");
    expect(thawed).toEqual([]);
  });
});
