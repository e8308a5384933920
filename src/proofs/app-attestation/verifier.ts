/** App attestation: a JWS (RFC 7515) of a gateway that a genuine app sent this one request. */
import { timingSafeEqual } from "node:crypto";
import type { JWTPayload } from "jose";
import type { AttestationConfig } from "../../config/attestation.ts";
import { sha256 } from "../../crypto/encoding.ts";
import { type ErrorCode, ServiceError } from "../../errors.ts";
import type { AttestedRequest } from "../../protocol/attested-request.ts";
import { InvalidJson } from "../../protocol/canonical-json.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Jwks } from "../jwks.ts";
import { verifiedClaims } from "../jws.ts";
import { requestHash } from "./request-hash.ts";

export interface AttestationVerifier {
  /**
   * Checks the attestation of a request.
   *
   * @returns what is wrong with it in report mode; otherwise `failure` is `null`.
   * @throws ServiceError, when attestation is enforced: `invalid_attestation_token_header` when there is none or it
   *   is not ASCII; `invalid_attestation_token_claim` for a wrong `jti`, `exp` or `aud`; `invalid_attestation_token`
   *   for anything else; `invalid_payload` when the body is not JSON; `service_unavailable` when the gateway's keys
   *   cannot be fetched.
   */
  verify(
    request: AttestedRequest & { readonly header: string | null },
  ): Promise<{ readonly failure: string | null }>;
}

/** How far the gateway's clock may be ahead of ours. */
const CLOCK_SKEW_S = 30;

/** @param jwksAt opens the key set at a URL; not called when no gateway is configured. */
export function createAttestationVerifier(
  config: AttestationConfig,
  jwksAt: (url: string) => Jwks,
  clock: Clock,
): AttestationVerifier {
  const { mode, issuer, audience, bypassToken } = config;
  const jwks = config.jwksUrl === null ? null : jwksAt(config.jwksUrl);

  async function check({ header, ...request }: AttestedRequest & { header: string | null }): Promise<void> {
    if (header === null || !/^[\x20-\x7e]+$/.test(header))
      throw new ServiceError(
        "invalid_attestation_token_header",
        "The attestation-token header is missing or not ASCII",
      );
    if (bypassToken !== null && isSameSecret(header, bypassToken)) return;
    if (jwks === null) throw refused("no attestation gateway is configured");
    requireClaims(await signedClaims(header, jwks), request);
  }

  async function signedClaims(token: string, jwks: Jwks): Promise<JWTPayload> {
    try {
      return await verifiedClaims(token, jwks, "ES256");
    } catch (error) {
      if (error instanceof ServiceError) throw error;
      throw refused("it is not a JWS that the gateway signed", error);
    }
  }

  function requireClaims(payload: JWTPayload, request: AttestedRequest): void {
    const nowS = clock.nowMs() / 1000;
    const { pass, exp, iat, iss, aud, jti } = payload;
    if (pass !== true) throw refused("the gateway did not let the request pass");
    if (typeof exp !== "number" || exp <= nowS) throw wrongClaim("exp");
    if (typeof iat !== "number" || iat > nowS + CLOCK_SKEW_S) throw refused("it is not valid yet");
    if (iss !== issuer) throw refused("it is of another issuer");
    if (aud !== audience) throw wrongClaim("aud");
    if (jti !== hashOf(request)) throw wrongClaim("jti");
  }

  return {
    async verify(request) {
      if (mode === "off") return { failure: null };
      try {
        await check(request);
        return { failure: null };
      } catch (error) {
        if (mode === "report" && error instanceof ServiceError) return { failure: error.message };
        throw error;
      }
    },
  };
}

function hashOf(request: AttestedRequest): string {
  try {
    return requestHash(request);
  } catch (error) {
    if (!(error instanceof InvalidJson)) throw error;
    throw new ServiceError("invalid_payload", "The body is not JSON", { cause: error });
  }
}

/** Compares hashes, so that the time depends on neither content nor length. */
function isSameSecret(given: string, secret: string): boolean {
  return timingSafeEqual(sha256(given), sha256(secret));
}

function wrongClaim(claim: "exp" | "aud" | "jti"): ServiceError {
  return attestationError("invalid_attestation_token_claim", `its claim ${claim} is missing or wrong`);
}

function refused(reason: string, cause?: unknown): ServiceError {
  return attestationError("invalid_attestation_token", reason, cause);
}

function attestationError(code: ErrorCode, reason: string, cause?: unknown): ServiceError {
  return new ServiceError(code, `The attestation token was not accepted: ${reason}`, { cause });
}
