import type { EnvironmentReader } from "./environment.ts";
import type { AppEnvironment } from "./server.ts";

export interface AttestationConfig {
  /** `report` accepts every request and reports what `enforce` would refuse; `off` checks nothing. */
  readonly mode: "enforce" | "report" | "off";
  /** The gateway's key set; `null` without a gateway. */
  readonly jwksUrl: string | null;
  readonly issuer: string;
  readonly audience: string;
  /** Accepted in place of an attestation token; `null` in production. */
  readonly bypassToken: string | null;
}

export function attestationConfig(read: EnvironmentReader, environment: AppEnvironment): AttestationConfig {
  const development = environment === "development";
  const mode = read.oneOf("ATTESTATION", ["enforce", "report", "off"], development ? "report" : "enforce");
  const gatewayUrl = read.keyUrl("ATTESTATION_GATEWAY_URL", development);
  const hasBypass = read.hasSecret("ATTESTATION_GATEWAY_BYPASS_TOKEN");
  const isGatewayOptional = mode === "off" || (development && (mode === "report" || hasBypass));
  if (gatewayUrl === null && !isGatewayOptional)
    read.problem(
      `ATTESTATION_GATEWAY_URL is required while ATTESTATION is ${mode}; ATTESTATION=off needs no gateway`,
    );
  if (hasBypass && environment === "production")
    read.problem("ATTESTATION_GATEWAY_BYPASS_TOKEN must not be set in production");
  return {
    mode,
    jwksUrl: gatewayUrl && `${gatewayUrl.replace(/\/+$/, "")}/.well-known/jwks.json`,
    issuer: read.text("ATTESTATION_ISSUER", "attestation.worldcoin.org"),
    audience: read.text("ATTESTATION_AUDIENCE", "toolsforhumanity.com"),
    bypassToken: read.secret("ATTESTATION_GATEWAY_BYPASS_TOKEN"),
  };
}
