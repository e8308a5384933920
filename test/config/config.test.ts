import { describe, expect, test } from "bun:test";
import { loadConfig } from "../../src/config/config.ts";
import { ConfigError } from "../../src/config/config-error.ts";
import type { Environment } from "../../src/config/environment.ts";

const KEY_1 = Buffer.alloc(32, 1).toString("base64");
const KEY_2 = Buffer.alloc(32, 2).toString("base64");
const GATEWAY = "https://gateway.example";

const development: Environment = { APP_ENV: "development" };
/** The least that production takes. */
const production: Environment = {
  APP_ENV: "production",
  AWS_REGION: "eu-central-1",
  BACKUP_S3_BUCKET: "backups",
  CHALLENGE_TOKEN_KEYS: `k1:${KEY_1}`,
  WEBAUTHN_RP_ID: "backup.example",
  WEBAUTHN_ORIGINS: "https://backup.example",
  ATTESTATION_GATEWAY_URL: GATEWAY,
  TRUSTED_PROXY_HOPS: "0",
};

function problemsOf(env: Environment): readonly string[] {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe("the defaults", () => {
  test("of development need nothing but the name of it", () => {
    expect(loadConfig(development)).toEqual({
      environment: "development",
      revision: null,
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
      limits: {
        maxBackupBytes: 15_728_640,
        maxInFlightUploadBytes: 268_435_456,
        minFreeDiskBytes: 536_870_912,
        maxInFlightAnswerBytes: 4_294_967_296,
        maxMainFactors: 10,
        maxSyncFactors: 25,
      },
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
      enforceBackupAccountProof: false,
      apiReference: true,
    });
  });

  test("of production are these", () => {
    expect(loadConfig(production)).toEqual({
      environment: "production",
      revision: null,
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
        },
        s3Endpoint: null,
        dynamoDbEndpoint: null,
      },
      challengeTokens: {
        keys: [{ kid: "k1", secret: Buffer.alloc(32, 1) }],
        generatedKeyDir: "./data",
      },
      limits: {
        maxBackupBytes: 15_728_640,
        maxInFlightUploadBytes: 268_435_456,
        minFreeDiskBytes: 536_870_912,
        maxInFlightAnswerBytes: 4_294_967_296,
        maxMainFactors: 10,
        maxSyncFactors: 25,
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
      enforceBackupAccountProof: false,
      apiReference: false,
    });
  });

  for (const [port, origin] of [
    ["80", "http://localhost"],
    ["443", "http://localhost:443"],
    ["3000", "http://localhost:3000"],
  ] as const)
    test(`have the origin of development as browsers write it, at port ${port}`, () => {
      expect(loadConfig({ ...development, PORT: port }).webauthn.origins).toEqual([origin]);
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
      ...[
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
      ],
      ...[
        "CHALLENGE_TOKEN_KEYS",
        "MAX_BACKUP_BYTES",
        "MIN_FREE_DISK_BYTES",
        "MAX_MAIN_FACTORS",
        "MAX_SYNC_FACTORS",
      ],
      ...["WEBAUTHN_RP_ID", "WEBAUTHN_RP_NAME", "WEBAUTHN_ORIGINS", "GOOGLE_CLIENT_ID", "GOOGLE_JWKS_URL"],
      ...[
        "GOOGLE_ISSUER",
        "APPLE_CLIENT_IDS",
        "APPLE_JWKS_URL",
        "APPLE_ISSUER",
        "ATTESTATION",
        "OIDC_TEST_ISSUER",
      ],
      ...["ATTESTATION_GATEWAY_URL", "ATTESTATION_ISSUER", "ATTESTATION_AUDIENCE"],
      ...["ATTESTATION_GATEWAY_BYPASS_TOKEN", "ENFORCE_BACKUP_ACCOUNT_PROOF", "CORS_ORIGINS"],
    ];
    for (const blank of ["", "  "])
      expect(
        loadConfig({ ...development, ...Object.fromEntries(names.map((name) => [name, blank])) }),
      ).toEqual(loadConfig(development));
  });
});

describe("each variable is read", () => {
  test.each<[Record<string, string>, object]>([
    [{ APP_REVISION: "abc123" }, { revision: "abc123" }],
    [{ HOST: " ::1 " }, { server: { host: "::1", metricsHost: "::1" } }],
    [{ METRICS_HOST: "::1" }, { server: { host: "127.0.0.1", metricsHost: "::1" } }],
    [{ SHUTDOWN_DRAIN_SECONDS: "0" }, { server: { shutdownDrainSeconds: 0 } }],
    [{ SHUTDOWN_DRAIN_SECONDS: "600" }, { server: { shutdownDrainSeconds: 600 } }],
    [{ PORT: "0", METRICS_PORT: "0" }, { server: { port: 0, metricsPort: 0 } }],
    [{ PORT: "65535", METRICS_PORT: "1" }, { server: { port: 65535, metricsPort: 1 } }],
    ...["trace", "debug", "info", "warn", "error", "fatal"].map((level): [Record<string, string>, object] => [
      { LOG_LEVEL: level },
      { log: { level } },
    ]),
    [{ LOG_FORMAT: "json" }, { log: { format: "json" } }],
    [{ LOG_FORMAT: "pretty" }, { log: { format: "pretty" } }],
    [
      { DATA_DIR: "/var/lib/x" },
      { storage: { dataDir: "/var/lib/x" }, challengeTokens: { generatedKeyDir: "/var/lib/x" } },
    ],
    [{ APP_ENV: "development", PORT: "8100" }, { webauthn: { origins: ["http://localhost:8100"] } }],
    [{ REUSE_PORT: "true" }, { server: { reusePort: true } }],
    [{ TRUSTED_PROXY_HOPS: "2" }, { server: { trustedProxyHops: 2 } }],
    [
      { CORS_ORIGINS: "https://a.example, http://b.example:8080,capacitor://localhost,http://[::1]:3000" },
      {
        server: {
          cors: {
            origins: [
              "https://a.example",
              "http://b.example:8080",
              "capacitor://localhost",
              "http://[::1]:3000",
            ],
          },
        },
      },
    ],
    [{ RATE_LIMITS: "true" }, { rateLimits: { addressChallengesPerMinute: 6_000 } }],
    ...(
      [
        ["ADDRESS_CHALLENGES_PER_MINUTE", "addressChallengesPerMinute"],
        ["ADDRESS_FAILURES_PER_MINUTE", "addressFailuresPerMinute"],
        ["ADDRESS_DESTRUCTIONS_PER_MINUTE", "addressDestructionsPerMinute"],
        ["ADDRESS_STATUS_PER_MINUTE", "addressStatusPerMinute"],
        ["ADDRESS_CREATES_PER_HOUR", "addressCreatesPerHour"],
        ["BACKUP_FAILURES_PER_HOUR", "backupFailuresPerHour"],
        ["BACKUP_DESTRUCTIONS_PER_HOUR", "backupDestructionsPerHour"],
      ] as const
    ).map(([variable, member]): [Record<string, string>, object] => [
      { RATE_LIMITS: "true", [`RATE_LIMIT_${variable}`]: "7" },
      { rateLimits: { [member]: 7 } },
    ]),
    [
      { RATE_LIMITS: "true", RATE_LIMIT_ADDRESS_CREATED_BYTES_PER_HOUR: "15728640" },
      { rateLimits: { addressCreatedBytesPerHour: 15_728_640 } },
    ],
    [{ MAX_IN_FLIGHT_UPLOAD_BYTES: "17825792" }, { limits: { maxInFlightUploadBytes: 17_825_792 } }],
    [{ MIN_FREE_DISK_BYTES: "0" }, { limits: { minFreeDiskBytes: 0 } }],
    [{ MAX_IN_FLIGHT_ANSWER_BYTES: "268435456" }, { limits: { maxInFlightAnswerBytes: 268_435_456 } }],
    [{ MAX_BACKUP_BYTES: "1" }, { limits: { maxBackupBytes: 1 } }],
    [
      { MAX_MAIN_FACTORS: "1", MAX_SYNC_FACTORS: "25" },
      { limits: { maxMainFactors: 1, maxSyncFactors: 25 } },
    ],
    [
      { WEBAUTHN_RP_ID: "a.b-c.example", WEBAUTHN_RP_NAME: "Büro" },
      { webauthn: { rpId: "a.b-c.example", rpName: "Büro" } },
    ],
    [
      {
        WEBAUTHN_ORIGINS:
          "https://a.example, https://b.example:8443 ,http://localhost:3000,android:apk-key-hash:aB_-9",
      },
      {
        webauthn: {
          origins: [
            "https://a.example",
            "https://b.example:8443",
            "http://localhost:3000",
            "android:apk-key-hash:aB_-9",
          ],
        },
      },
    ],
    [
      { GOOGLE_CLIENT_ID: "g" },
      {
        oidc: {
          apple: null,
          google: {
            clientIds: ["g"],
            issuer: "https://accounts.google.com",
            jwksUrl: "https://www.googleapis.com/oauth2/v3/certs",
          },
        },
      },
    ],
    [
      { GOOGLE_CLIENT_ID: "g", GOOGLE_ISSUER: "i", GOOGLE_JWKS_URL: "http://127.0.0.1:1/keys" },
      { oidc: { google: { clientIds: ["g"], issuer: "i", jwksUrl: "http://127.0.0.1:1/keys" } } },
    ],
    [{ GOOGLE_ISSUER: "i" }, { oidc: { testIssuer: true, google: { issuer: "i" } } }],
    [{ OIDC_TEST_ISSUER: "true" }, { oidc: { testIssuer: true } }],
    [
      { OIDC_TEST_ISSUER: "false", GOOGLE_ISSUER: "i" },
      { oidc: { testIssuer: false, google: null, apple: null } },
    ],
    [{ OIDC_TEST_ISSUER: "false", GOOGLE_CLIENT_ID: "g" }, { oidc: { testIssuer: false, apple: null } }],
    [
      { APPLE_CLIENT_IDS: "a, b,,c" },
      {
        oidc: {
          google: null,
          apple: {
            clientIds: ["a", "b", "c"],
            issuer: "https://appleid.apple.com",
            jwksUrl: "https://appleid.apple.com/auth/keys",
          },
        },
      },
    ],
    [
      { APPLE_CLIENT_IDS: "a", APPLE_ISSUER: "i", APPLE_JWKS_URL: "https://k.example/" },
      { oidc: { apple: { clientIds: ["a"], issuer: "i", jwksUrl: "https://k.example/" } } },
    ],
    [{ ATTESTATION: "off" }, { attestation: { mode: "off" } }],
    [
      { ATTESTATION: "enforce", ATTESTATION_GATEWAY_URL: "https://g.example/base/" },
      { attestation: { mode: "enforce", jwksUrl: "https://g.example/base/.well-known/jwks.json" } },
    ],
    [{ ATTESTATION_ISSUER: "i", ATTESTATION_AUDIENCE: "a" }, { attestation: { issuer: "i", audience: "a" } }],
    [
      { ATTESTATION: "enforce", ATTESTATION_GATEWAY_BYPASS_TOKEN: "secret" },
      { attestation: { mode: "enforce", jwksUrl: null, bypassToken: "secret" } },
    ],
    [{ ENFORCE_BACKUP_ACCOUNT_PROOF: "true" }, { enforceBackupAccountProof: true }],
    [{ ENFORCE_BACKUP_ACCOUNT_PROOF: "false" }, { enforceBackupAccountProof: false }],
  ])("%j", (env, expected) => {
    expect(loadConfig({ ...development, ...env })).toMatchObject(expected);
  });

  test("for the aws driver", () => {
    const env = {
      ...production,
      BACKUP_S3_BUCKET_KMS_KEY_ARN: "arn:aws:kms:x",
      DYNAMODB_TABLE_FACTOR_LOOKUP: "f",
      DYNAMODB_TABLE_BACKUPS: "b",
      DYNAMODB_TABLE_ONE_TIME: "o",
      AWS_ENDPOINT_URL: "http://both.example",
    };
    expect(loadConfig(env).storage).toMatchObject({
      kmsKeyArn: "arn:aws:kms:x",
      tables: { factorLookup: "f", backups: "b", oneTime: "o" },
      s3Endpoint: "http://both.example",
      dynamoDbEndpoint: "http://both.example",
    });
    expect(
      loadConfig({
        ...env,
        AWS_ENDPOINT_URL_S3: "http://s3.example",
        AWS_ENDPOINT_URL_DYNAMODB: "http://ddb.example",
      }).storage,
    ).toMatchObject({ s3Endpoint: "http://s3.example", dynamoDbEndpoint: "http://ddb.example" });
  });

  test("for the storage that was chosen, whatever the environment", () => {
    expect(loadConfig({ ...production, STORAGE_DRIVER: "local" }).storage).toEqual({
      driver: "local",
      dataDir: "./data",
    });
    const { AWS_REGION, BACKUP_S3_BUCKET } = production;
    expect(
      loadConfig({ ...development, STORAGE_DRIVER: "aws", AWS_REGION, BACKUP_S3_BUCKET }).storage.driver,
    ).toBe("aws");
  });

  test("for challenge token keys, in their order", () => {
    const { keys } = loadConfig({
      ...development,
      CHALLENGE_TOKEN_KEYS: `new:${KEY_2}, old.1_x-:${KEY_1}`,
    }).challengeTokens;
    expect(keys).toEqual([
      { kid: "new", secret: Buffer.alloc(32, 2) },
      { kid: "old.1_x-", secret: Buffer.alloc(32, 1) },
    ]);
  });
});

describe("a problem is told", () => {
  test.each([
    "APP_ENV",
    "AWS_REGION",
    "BACKUP_S3_BUCKET",
    "CHALLENGE_TOKEN_KEYS",
    "WEBAUTHN_RP_ID",
    "WEBAUTHN_ORIGINS",
    "ATTESTATION_GATEWAY_URL",
    "TRUSTED_PROXY_HOPS",
  ])("when production lacks %s", (name) => {
    const problems = problemsOf({ ...production, [name]: undefined });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toStartWith(`${name} is required`);
    expect(problemsOf({ ...production, APP_ENV: "staging", [name]: "" })[0]).toContain(name);
  });

  test.each([
    ["LOG_LEVEL", ["verbose", "INFO", "silent"]],
    ["LOG_FORMAT", ["text", "JSON"]],
    ["STORAGE_DRIVER", ["s3", "Local"]],
    ["ATTESTATION", ["on", "true", "Enforce"]],
    ["OIDC_TEST_ISSUER", ["yes", "1", "TRUE"]],
    ["ENFORCE_BACKUP_ACCOUNT_PROOF", ["yes", "1", "True", "on"]],
    ["PORT", ["-1", "65536", "80a", "1e3", "0x50", "8000.5", "９"]],
    ["METRICS_PORT", ["-1", "65536", "none"]],
    ["TRUSTED_PROXY_HOPS", ["-1", "11", "one", "1.0"]],
    ["SHUTDOWN_DRAIN_SECONDS", ["-1", "601", "10s"]],
    ["MAX_BACKUP_BYTES", ["0", "15728641", "15MiB"]],
    ["MIN_FREE_DISK_BYTES", ["-1", "512MiB", "1099511627777"]],
    ["MAX_MAIN_FACTORS", ["0", "11"]],
    ["RATE_LIMIT_ADDRESS_CREATES_PER_HOUR", ["0", "1000001", "many"]],
    ["RATE_LIMIT_ADDRESS_CREATED_BYTES_PER_HOUR", ["0", "15728639", "1GiB"]],
    ["MAX_SYNC_FACTORS", ["0", "26"]],
    ["GOOGLE_JWKS_URL", ["keys", "ftp://x.example", "file:///etc/passwd"]],
    ["APPLE_JWKS_URL", ["//x.example"]],
    ["ATTESTATION_GATEWAY_URL", ["gateway.example", "ws://x.example"]],
    [
      "WEBAUTHN_RP_ID",
      [
        "https://backup.example",
        "backup.example/",
        "Backup.example",
        "a..b",
        "-a.example",
        "a_b",
        "*.example",
      ],
    ],
    ["APPLE_CLIENT_IDS", [",", " , ,"]],
    ["WEBAUTHN_ORIGINS", [","]],
    [
      "CORS_ORIGINS",
      [
        "*",
        "https://*",
        "https://*.example",
        "null",
        "app.example",
        "https://app.example/",
        "https://app.example/path",
        "https://App.example",
        "HTTPS://app.example",
        "https://app.example:443",
        "https://user@app.example",
        "https://",
        "http://999.1.1.1",
        "capacitor://",
        "capacitor://localhost/",
        "https://good.example,*",
      ],
    ],
  ])("when %s is one of %j", (name, values) => {
    for (const value of values) {
      const problems = problemsOf({ ...development, [name]: value });
      expect(problems).toHaveLength(1);
      expect(problems[0]).toContain(name);
    }
  });

  test.each(["prod", "Production", "test"])("when APP_ENV is %s", (environment) => {
    expect(problemsOf({ ...production, APP_ENV: environment })).toEqual([
      `APP_ENV must be one of production, staging, development, not "${environment}"`,
    ]);
  });

  test.each([
    "https://backup.example/",
    "https://backup.example/path",
    "https://Backup.example",
    "https://backup.example:443",
    "https://user@backup.example",
    "http://backup.example",
    "http://127.0.0.1",
    "backup.example",
    "*",
    "null",
    "ws://localhost",
    "android:apk-key-hash:",
    "android:apk-key-hash:a+b=",
    "ios:bundle-id:org.example",
  ])("when %s is to be an origin", (origin) => {
    const problems = problemsOf({ ...production, WEBAUTHN_ORIGINS: `https://backup.example,${origin}` });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain("WEBAUTHN_ORIGINS");
  });

  test.each(["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_DYNAMODB"])(
    "when %s is no URL",
    (name) => {
      expect(problemsOf({ ...production, [name]: "localhost:4566" })).toEqual([
        `${name} must be an http or https URL, not "localhost:4566"`,
      ]);
    },
  );

  describe.each(["GOOGLE_JWKS_URL", "APPLE_JWKS_URL", "ATTESTATION_GATEWAY_URL"])("when %s", (name) => {
    test.each([
      "http://keys.example/jwks",
      "HTTP://keys.example",
      "http://10.0.0.1",
      "http://localhost.example",
      "http://127.0.0.1.example",
      "http://localhost@keys.example",
      "http://[::2]",
      "http://[::ffff:10.0.0.1]",
    ])("is %s, where anybody on the way could put in keys, but in development", (url) => {
      for (const APP_ENV of ["production", "staging"])
        expect(problemsOf({ ...production, APP_ENV, [name]: url })).toEqual([
          `${name} must be an https URL outside development, unless its host is loopback`,
        ]);
      expect(problemsOf({ ...production, ATTESTATION: "off", [name]: url })).toHaveLength(1);
      expect(problemsOf({ ...development, [name]: url })).toEqual([]);
    });

    test.each([
      "https://keys.example/jwks",
      "http://localhost:8080",
      "http://127.0.0.1",
      "http://127.8.9.10:80/",
      "http://[::1]:8080",
    ])("is %s, not even in production", (url) => {
      expect(problemsOf({ ...production, [name]: url })).toEqual([]);
    });
  });

  test("when both ports are the same", () => {
    expect(problemsOf({ ...development, PORT: "8080", METRICS_PORT: "8080" })).toEqual([
      "PORT and METRICS_PORT are both 8080",
    ]);
  });

  test("when a challenge token key is wrong, without telling the key", () => {
    const short = Buffer.alloc(31, 3).toString("base64");
    const bad = [
      short,
      `:${KEY_1}`,
      `k 1:${KEY_1}`,
      `${"k".repeat(65)}:${KEY_1}`,
      `k1:${short}`,
      `k1:${Buffer.alloc(33, 3).toString("base64")}`,
      `k1:${KEY_1.slice(0, -1)}`,
      "k1:",
      `k1:${KEY_1},k1:${KEY_2}`,
      `k1:${KEY_1},`,
    ];
    for (const value of bad) {
      const problems = problemsOf({ ...development, CHALLENGE_TOKEN_KEYS: value });
      expect(problems).toHaveLength(1);
      expect(problems[0]).toStartWith("CHALLENGE_TOKEN_KEYS, entry ");
      for (const secret of [KEY_1, KEY_2, short]) expect(problems[0]).not.toContain(secret);
    }
  });

  test("when attestation is enforced without anybody to ask", () => {
    expect(problemsOf({ ...development, ATTESTATION: "enforce" })).toEqual([
      "ATTESTATION_GATEWAY_URL is required while ATTESTATION is enforce; ATTESTATION=off needs no gateway",
    ]);
    expect(problemsOf({ ...production, ATTESTATION: "report", ATTESTATION_GATEWAY_URL: "" })).toEqual([
      "ATTESTATION_GATEWAY_URL is required while ATTESTATION is report; ATTESTATION=off needs no gateway",
    ]);
    expect(problemsOf({ ...production, ATTESTATION: "off", ATTESTATION_GATEWAY_URL: "" })).toEqual([]);
  });

  test("when there is a bypass token in production, without telling the token", () => {
    const env = { ...production, ATTESTATION_GATEWAY_BYPASS_TOKEN: "open sesame" };
    expect(problemsOf(env)).toEqual(["ATTESTATION_GATEWAY_BYPASS_TOKEN must not be set in production"]);
    expect(problemsOf({ ...env, ATTESTATION: "off" })).toHaveLength(1);
    expect(problemsOf({ ...env, APP_ENV: "staging" })).toEqual([]);
  });

  test("when the test issuer is asked for outside development, or beside a real one", () => {
    for (const APP_ENV of ["production", "staging"])
      expect(problemsOf({ ...production, APP_ENV, OIDC_TEST_ISSUER: "true" })).toEqual([
        "OIDC_TEST_ISSUER is for development only: it issues an id_token for any account to any client",
      ]);
    for (const provider of ["GOOGLE_CLIENT_ID", "APPLE_CLIENT_IDS"]) {
      const problems = problemsOf({ ...development, OIDC_TEST_ISSUER: "true", [provider]: "x" });
      expect(problems).toHaveLength(1);
      expect(problems[0]).toStartWith("OIDC_TEST_ISSUER takes the place of");
    }
  });

  test("together with all the others", () => {
    const problems = problemsOf({
      APP_ENV: "production",
      PORT: "x",
      LOG_LEVEL: "x",
      AWS_ENDPOINT_URL: "x",
      MAX_MAIN_FACTORS: "x",
      WEBAUTHN_ORIGINS: "x,y",
      GOOGLE_JWKS_URL: "x",
      ATTESTATION_GATEWAY_BYPASS_TOKEN: "x",
      ENFORCE_BACKUP_ACCOUNT_PROOF: "x",
    });
    const told = [
      "PORT",
      "TRUSTED_PROXY_HOPS",
      "LOG_LEVEL",
      "AWS_ENDPOINT_URL",
      "AWS_REGION",
      "BACKUP_S3_BUCKET",
      "CHALLENGE_TOKEN_KEYS",
    ];
    told.push(
      "MAX_MAIN_FACTORS",
      "WEBAUTHN_RP_ID",
      "WEBAUTHN_ORIGINS",
      "WEBAUTHN_ORIGINS",
      "GOOGLE_JWKS_URL",
    );
    told.push("ATTESTATION_GATEWAY_URL", "ATTESTATION_GATEWAY_BYPASS_TOKEN", "ENFORCE_BACKUP_ACCOUNT_PROOF");
    expect(problems.map((problem) => /^[A-Z0-9_]+/.exec(problem)?.[0])).toEqual(told);
  });

  test("as one error that counts them", () => {
    expect(() => loadConfig({})).toThrow(ConfigError);
    expect(() => loadConfig({ ...development, PORT: "x" })).toThrow("the configuration has a problem");
    expect(() => loadConfig({ ...development, PORT: "x", HOST: "y", LOG_LEVEL: "z" })).toThrow(
      "the configuration has 2 problems",
    );
  });
});

test("the configuration is frozen all the way down", () => {
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
