/** The process: its environment, listeners and log. */
import { ConfigError } from "./config-error.ts";
import { type Environment, EnvironmentReader } from "./environment.ts";

export type AppEnvironment = "production" | "staging" | "development";

export interface ServerConfig {
  readonly host: string;
  readonly port: number;
  readonly metricsHost: string;
  readonly metricsPort: number;
  /** Whether several processes of this machine may share the port. */
  readonly reusePort: boolean;
  /** How long the service keeps serving after a signal, while `/ready` responds with 503. */
  readonly shutdownDrainSeconds: number;
  /** How many trusted proxies a request passes through; each appends an address to `x-forwarded-for`. */
  readonly trustedProxyHops: number;
  /** Origins whose web pages may call the API. `loopback`: loopback origins too, on any port. */
  readonly cors: { readonly origins: readonly string[]; readonly loopback: boolean };
}

const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const;

export interface LogConfig {
  readonly level: (typeof LOG_LEVELS)[number];
  /** `json`: one object a line. `pretty`: for a person at a terminal. */
  readonly format: "json" | "pretty";
}

export function serverConfig(read: EnvironmentReader, development: boolean): ServerConfig {
  const { host, port } = listenAddress(read, development);
  const server = {
    host,
    port,
    metricsHost: read.text("METRICS_HOST", host),
    metricsPort: read.integer("METRICS_PORT", 9090, 0, 65535),
    reusePort: read.boolean("REUSE_PORT", false),
    shutdownDrainSeconds: read.integer("SHUTDOWN_DRAIN_SECONDS", development ? 0 : 10, 0, 600),
    trustedProxyHops: read.integer("TRUSTED_PROXY_HOPS", 0, 0, 10),
    cors: { origins: read.origins("CORS_ORIGINS"), loopback: development },
  };
  if (!development)
    read.required(
      "TRUSTED_PROXY_HOPS",
      "outside development: how many of your proxies a request passes through, 0 if clients connect directly",
    );
  if (port !== 0 && port === server.metricsPort) read.problem(`PORT and METRICS_PORT are both ${port}`);
  return server;
}

function listenAddress(read: EnvironmentReader, development: boolean) {
  const host = read.text("HOST", development ? "127.0.0.1" : "0.0.0.0");
  return { host, port: read.integer("PORT", 8000, 0, 65535) };
}

/**
 * The URL at which another process of this machine calls the service.
 *
 * @throws ConfigError
 */
export function loadLocalUrl(env: Environment): string {
  const read = new EnvironmentReader(env);
  const { host, port } = listenAddress(read, read.optional("APP_ENV") === "development");
  if (port === 0) read.problem("PORT is 0: name the port that the service listens on");
  if (read.problems.length > 0) throw new ConfigError(read.problems);
  const address = { "0.0.0.0": "127.0.0.1", "::": "::1" }[host] ?? host;
  return `http://${address.includes(":") ? `[${address}]` : address}:${port}`;
}

export function logConfig(read: EnvironmentReader, development: boolean): LogConfig {
  return {
    level: read.oneOf("LOG_LEVEL", LOG_LEVELS, "info"),
    format: read.oneOf("LOG_FORMAT", ["json", "pretty"], development ? "pretty" : "json"),
  };
}
