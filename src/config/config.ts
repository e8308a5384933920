/**
 * Configuration: environment variables in, one frozen object out. No other part of the service reads the environment.
 * Each section has a file; `.env.example` explains every variable.
 */
import { buildRevision } from "../runtime/program.ts";
import { type AddFactorConfig, addFactorConfig } from "./add-factor.ts";
import { type AdoptionConfig, adoptionConfig } from "./adoption.ts";
import { type AppLinksConfig, appLinksConfig } from "./app-links.ts";
import { type AppConfig, type AppEntry, readApps } from "./apps.ts";
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

/** What all apps of a process have in common. */
interface ProcessConfig {
  readonly environment: AppEnvironment;
  /** The revision that `/health` reports; `null` if it is not configured. */
  readonly revision: string | null;
  readonly server: ServerConfig;
  readonly log: LogConfig;
  /** `null` if nothing is traced. */
  readonly tracing: TracingConfig | null;
  readonly storage: StorageConfig;
  readonly challengeTokens: ChallengeTokensConfig;
  /** `null` if events are not posted. */
  readonly webhook: WebhookConfig | null;
  /** Whether to serve the API reference at `/docs`, `/openapi.json` and `/openapi-3.0.json`, and the guide at `/guide`. */
  readonly apiReference: boolean;
}

/** What each app may set for itself. */
interface AppSettings {
  /** `null` if rate limits are off. */
  readonly rateLimits: RateLimitConfig | null;
  /** `null` if nothing is adopted. */
  readonly adoption: AdoptionConfig | null;
  /** Memory and disk are shared by all apps. */
  readonly limits: LimitsConfig;
  readonly webauthn: WebAuthnConfig;
  readonly appLinks: AppLinksConfig;
  readonly oidc: OidcConfig;
  readonly attestation: AttestationConfig;
  readonly addFactor: AddFactorConfig;
  readonly history: HistoryConfig;
  /** Whether a create requires a signature of the account id's key. */
  readonly enforceBackupAccountProof: boolean;
}

/** The configuration of a service, or of one of the apps of a process. */
export interface Config extends ProcessConfig, AppSettings {
  /** `null` where the process serves one app, whatever a request says. */
  readonly app: AppConfig | null;
}

/** One for each app. */
export type Configs = readonly [Config, ...Config[]];

/**
 * Reads the whole configuration of a process with one app.
 *
 * @throws ConfigError with all problems together.
 */
export function loadConfig(env: Environment): Config {
  const read = new EnvironmentReader(env);
  const process = processConfig(read);
  const config = { app: null, ...process, ...appSettings(read, process) };
  if (read.problems.length > 0) throw new ConfigError(read.problems);
  return deepFreeze(config);
}

/** As {@link loadConfig}, of each app in the file that APPS_FILE names, or of one. */
export function loadConfigs(env: Environment): Configs {
  const read = new EnvironmentReader(env);
  const apps = readApps(read, env);
  if (apps === null) return [loadConfig(env)];
  const process = processConfig(read);
  const configOf = ({ app, path, env: ofApp }: AppEntry): Config => {
    const settings = new EnvironmentReader(ofApp);
    const config = { app, ...process, ...appSettings(settings, process) };
    for (const problem of settings.problems) read.problem(`APPS_FILE ${path}/settings: ${problem}`);
    return config;
  };
  const [first, ...others] = apps.map(configOf);
  if (first === undefined) throw new ConfigError(read.problems);
  const configs: Configs = [first, ...others];
  for (const problem of sharedSources(configs)) read.problem(problem);
  if (read.problems.length > 0) throw new ConfigError(read.problems);
  return deepFreeze(configs);
}

function processConfig(read: EnvironmentReader): ProcessConfig {
  const environment = read.requiredOneOf("APP_ENV", ["production", "staging", "development"]);
  const development = environment === "development";
  return {
    environment,
    revision: read.optional("APP_REVISION") ?? buildRevision,
    server: serverConfig(read, development),
    log: logConfig(read, development),
    tracing: tracingConfig(read),
    storage: storageConfig(read, development),
    challengeTokens: challengeTokensConfig(read, development, dataDir(read)),
    webhook: webhookConfig(read, development),
    apiReference: read.boolean("API_REFERENCE", environment !== "production"),
  };
}

function appSettings(
  read: EnvironmentReader,
  { environment, server, storage }: Pick<ProcessConfig, "environment" | "server" | "storage">,
): AppSettings {
  const development = environment === "development";
  const webauthn = webauthnConfig(
    read,
    development ? new URL(`http://localhost:${server.port}`).origin : null,
  );
  return {
    rateLimits: rateLimitsConfig(read, !development),
    adoption: adoptionConfig(read, storage),
    limits: limitsConfig(read),
    webauthn,
    appLinks: appLinksConfig(read, webauthn),
    oidc: oidcConfig(read, development),
    attestation: attestationConfig(read, environment),
    addFactor: addFactorConfig(read),
    history: historyConfig(read),
    enforceBackupAccountProof: read.boolean("ENFORCE_BACKUP_ACCOUNT_PROOF", false),
  };
}

/** A backup that two apps took over would be two backups, which drift apart. */
function sharedSources(configs: Configs): readonly string[] {
  const holders = new Map<string, string>();
  const problems: string[] = [];
  for (const { adoption, app } of configs)
    for (const name of adoption === null ? [] : [`bucket ${adoption.bucket}`, `table ${adoption.table}`]) {
      const holder = holders.get(name);
      if (holder !== undefined)
        problems.push(`APPS_FILE: ${holder} and ${app?.name} both adopt from the ${name}: one app may`);
      holders.set(name, app?.name ?? "");
    }
  return problems;
}

/** Freezes a value recursively, except typed arrays, which cannot be frozen. */
function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}
