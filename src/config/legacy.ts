/** What the commands that move backups from or to the other service read of the environment. */
import { ConfigError } from "./config-error.ts";
import { type Environment, EnvironmentReader } from "./environment.ts";
import { oidcIssuers } from "./oidc.ts";
import { awsEndpoints } from "./storage.ts";

export interface LegacyConfig {
  /** `null` when no variable names one. */
  readonly region: string | null;
  /** A custom endpoint; `null` for AWS's own. */
  readonly s3Endpoint: string | null;
  readonly dynamoDbEndpoint: string | null;
  /** The issuers whose accounts the service knows. */
  readonly issuers: Readonly<Record<"GOOGLE" | "APPLE", string>>;
}

/** @throws ConfigError */
export function loadLegacyConfig(env: Environment): LegacyConfig {
  const read = new EnvironmentReader(env);
  const issuers = oidcIssuers(read);
  const config = {
    region: read.optional("AWS_REGION"),
    ...awsEndpoints(read),
    issuers: { GOOGLE: issuers.google, APPLE: issuers.apple },
  };
  if (read.problems.length > 0) throw new ConfigError(read.problems);
  return config;
}
