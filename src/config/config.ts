/**
 * Configuration: environment variables in, one frozen object out. No other part of the service reads the environment.
 * Each section has a file; `.env.example` explains every variable.
 */
import { buildRevision } from "../runtime/program.ts";
import { type AddFactorConfig, addFactorConfig } from "./add-factor.ts";
import { type AdoptionConfig, adoptionConfig } from "./adoption.ts";
import { type AttestationConfig, attestationConfig } from "./attestation.ts";
import { type ChallengeTokensConfig, challengeTokensConfig } from "./challenge-tokens.ts";
import { ConfigError } from "./config-error.ts";
import { type Environment, EnvironmentReader } from "./environment.ts";
import { type HistoryConfig, historyConfig } from "./history.ts";
import { type LimitsConfig, limitsConfig, type RateLimitConfig, rateLimitsConfig } from "./limits.ts";
import { type OidcConfig, oidcConfig } from "./oidc.ts";
import { type AppEnvironment, type LogConfig, logConfig, type ServerConfig, serverConfig } from "./server.ts";
import { dataDir, type StorageConfig, storageConfig } from "./storage.ts";
import { type TracingConfig, tracingConfig } from "./tracing.ts";
import { type WebAuthnConfig, webauthnConfig } from "./webauthn.ts";
import { type WebhookConfig, webhookConfig } from "./webhook.ts";

export interface Config {
  readonly environment: AppEnvironment;
  /** The revision that `/health` reports; `null` if it is not configured. */
  readonly revision: string | null;
  readonly server: ServerConfig;
  /** `null` if rate limits are off. */
  readonly rateLimits: RateLimitConfig | null;
  readonly log: LogConfig;
  /** `null` if nothing is traced. */
  readonly tracing: TracingConfig | null;
  readonly storage: StorageConfig;
  /** `null` if nothing is adopted. */
  readonly adoption: AdoptionConfig | null;
  readonly challengeTokens: ChallengeTokensConfig;
  readonly limits: LimitsConfig;
  readonly webauthn: WebAuthnConfig;
  readonly oidc: OidcConfig;
  readonly attestation: AttestationConfig;
  readonly addFactor: AddFactorConfig;
  /** `null` if events are not posted. */
  readonly webhook: WebhookConfig | null;
  readonly history: HistoryConfig;
  /** Whether a create requires a signature of the account id's key. */
  readonly enforceBackupAccountProof: boolean;
  /** Whether to serve the API reference at `/docs`, `/openapi.json` and `/openapi-3.0.json`, and the guide at `/guide`. */
  readonly apiReference: boolean;
}

/**
 * Reads the whole configuration.
 *
 * @throws ConfigError with all problems together.
 */
export function loadConfig(env: Environment): Config {
  const read = new EnvironmentReader(env);
  const environment = read.requiredOneOf("APP_ENV", ["production", "staging", "development"]);
  const development = environment === "development";
  const server = serverConfig(read, development);
  const storage = storageConfig(read, development);
  const config: Config = {
    environment,
    revision: read.optional("APP_REVISION") ?? buildRevision,
    server,
    rateLimits: rateLimitsConfig(read, !development),
    log: logConfig(read, development),
    tracing: tracingConfig(read),
    storage,
    adoption: adoptionConfig(read, storage),
    challengeTokens: challengeTokensConfig(read, development, dataDir(read)),
    limits: limitsConfig(read),
    webauthn: webauthnConfig(read, development ? new URL(`http://localhost:${server.port}`).origin : null),
    oidc: oidcConfig(read, development),
    attestation: attestationConfig(read, environment),
    addFactor: addFactorConfig(read),
    webhook: webhookConfig(read, development),
    history: historyConfig(read),
    enforceBackupAccountProof: read.boolean("ENFORCE_BACKUP_ACCOUNT_PROOF", false),
    apiReference: read.boolean("API_REFERENCE", environment !== "production"),
  };
  if (read.problems.length > 0) throw new ConfigError(read.problems);
  return deepFreeze(config);
}

/** Freezes a value recursively, except typed arrays, which cannot be frozen. */
function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}
