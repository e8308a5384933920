/** Signed tokens of others (RFC 7515, compact serialisation). */
import { compactVerify, decodeProtectedHeader, errors, type JWTPayload } from "jose";
import type { Jwks } from "./jwks.ts";

/**
 * Verifies the signature of a token and returns the claims that were signed. No extension is understood here, so a token
 * with `crit` is refused whatever it names (§4.1.11): jose alone would accept `b64` (RFC 7797), with which the signed payload
 * differs from the one that a reader of JWTs sees.
 *
 * @throws Error when the token is no JWS of JSON claims, its signature does not verify by `algorithm`, or it has `crit`;
 *   what `jwks.key` throws.
 */
export async function verifiedClaims(
  token: string,
  jwks: Jwks,
  algorithm: "ES256" | "RS256",
): Promise<JWTPayload> {
  if (Object.hasOwn(decodeProtectedHeader(token), "crit"))
    throw new errors.JOSENotSupported("the token has critical header parameters");
  const { payload } = await compactVerify(token, jwks.key, { algorithms: [algorithm] });
  const claims: unknown = JSON.parse(utf8.decode(payload));
  if (!isClaims(claims)) throw new errors.JWTInvalid("the payload is not a JSON object");
  return claims;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function isClaims(value: unknown): value is JWTPayload {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
