/**
 * id_tokens of Google and Apple (OpenID Connect Core 1.0 §2, validated as §3.1.3.7 asks). A token is bound to a P-256
 * key by its nonce, so that it is useless without that key.
 */
import { type Static, Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { decodeJwt, decodeProtectedHeader } from "jose";
import type { OidcConfig } from "../../config/oidc.ts";
import { importP256PublicKey } from "../../crypto/ecdsa.ts";
import { decodeBase64, decodeBase64Url, encodeHex, sha256 } from "../../crypto/encoding.ts";
import { ServiceError } from "../../errors.ts";
import type { OidcProvider, OidcToken } from "../../protocol/authorization.ts";
import type { Clock } from "../../runtime/clock.ts";
import { memoise } from "../../runtime/memoise.ts";
import type { Nonce } from "../../runtime/nonce.ts";
import type { Jwks } from "../jwks.ts";
import { verifiedClaims } from "../jws.ts";

/** A verified id_token. The signature by the key in its nonce is verified separately. */
export interface VerifiedIdToken {
  readonly provider: OidcProvider;
  readonly issuer: string;
  readonly sub: string;
  readonly email: string | null;
  /** To consume with the proof: an id_token is for one use. */
  readonly nonce: Nonce;
}

/** Checks id_tokens of the configured providers. */
export interface OidcVerifier {
  /**
   * Checks an id_token.
   *
   * @param publicKey base64 of the SEC 1 uncompressed P-256 point that the token's nonce is about.
   * @throws ServiceError in this order: `oidc_token_invalid_aud`, `oidc_token_parse_error`,
   *   `oidc_token_verification_error`, `oidc_token_invalid_nonce`; `service_unavailable` when the provider's keys
   *   cannot be fetched.
   */
  verify(oidcToken: OidcToken, publicKey: string): Promise<VerifiedIdToken>;
}

const GOOGLE_ISSUER = "https://accounts.google.com";
/** An id_token is refused after this time. */
export const ID_TOKEN_MAX_AGE_S = 5 * 60;
const CLOCK_SKEW_S = 30;
const NONCE_KEPT_MS = 365 * 24 * 60 * 60 * 1000;

const Claims = Type.Object({
  iss: Type.String(),
  sub: Type.String({ minLength: 1, maxLength: 255 }),
  aud: Type.Union([Type.String(), Type.Tuple([Type.String()])]),
  exp: Type.Number(),
  iat: Type.Number(),
  nbf: Type.Optional(Type.Number()),
  nonce: Type.Optional(Type.Unknown()),
  email: Type.Optional(Type.Unknown()),
});
type Claims = Static<typeof Claims>;
const compiledClaims = memoise(() => TypeCompiler.Compile(Claims));

/**
 * @param jwksAt opens the key set at a URL; called once for each provider that is configured.
 * @param earliestMs tokens issued before this time are refused.
 */
export function createOidcVerifier(
  config: Pick<OidcConfig, "google" | "apple">,
  jwksAt: (url: string) => Jwks,
  clock: Clock,
  earliestMs: () => Promise<number> = async () => 0,
): OidcVerifier {
  const google = config.google && { ...config.google, jwks: jwksAt(config.google.jwksUrl) };
  const apple = config.apple && { ...config.apple, jwks: jwksAt(config.apple.jwksUrl) };

  function providerOf(oidcToken: OidcToken) {
    if (oidcToken.kind === "GOOGLE") {
      if (google === null) throw refused("Google accounts are not accepted here");
      return { ...google, audience: google.clientIds[0] };
    }
    const audience = oidcToken.aud ?? apple?.clientIds[0];
    if (apple === null || audience === undefined || !apple.clientIds.includes(audience))
      throw new ServiceError(
        "oidc_token_invalid_aud",
        "Apple accounts of this client id are not accepted here",
      );
    return { ...apple, audience };
  }

  return {
    async verify(oidcToken, publicKey) {
      const { issuer, audience, jwks } = providerOf(oidcToken);
      requireJwt(oidcToken.token);
      const claims = await idTokenClaims(oidcToken.token, jwks);
      requireClaims(claims, { issuer, audience, nowS: clock.nowMs() / 1000 });
      if (claims.iat * 1000 < (await earliestMs()))
        throw refused("it was issued before the records were restored, and may have been used");
      const nonce = nonceOf(publicKey);
      if (nonce === null || claims.nonce !== nonce)
        throw new ServiceError(
          "oidc_token_invalid_nonce",
          "The nonce of the id_token is not of this public key",
        );
      return {
        provider: oidcToken.kind,
        issuer,
        sub: claims.sub,
        email: typeof claims.email === "string" && claims.email !== "" ? claims.email : null,
        nonce: {
          id: `oidc-nonce|${oidcToken.kind}|${nonce}`,
          expiresAtMs: clock.nowMs() + NONCE_KEPT_MS,
        },
      };
    },
  };
}

/**
 * The nonce that binds an id_token to a key: `hex(sha256(ascii(hex(point))))`, the point compressed (SEC 1 §2.3.3).
 *
 * @param publicKey base64 of the uncompressed point; `null` when it is not one on P-256.
 */
export function nonceOf(publicKey: string): string | null {
  const point = decodeBase64(publicKey);
  if (point === null || importP256PublicKey(point) === null) return null;
  const isOdd = (point.at(-1) ?? 0) % 2 === 1;
  const compressed = Uint8Array.of(isOdd ? 0x03 : 0x02, ...point.subarray(1, 33));
  return encodeHex(sha256(encodeHex(compressed)));
}

/** A JWT in compact serialisation (RFC 7519 §3), whatever its algorithm and content. */
function requireJwt(token: string): void {
  try {
    decodeProtectedHeader(token);
    decodeJwt(token);
  } catch (error) {
    throw notAJwt(error);
  }
  if (decodeBase64Url(token.split(".")[2] ?? "") === null) throw notAJwt();
}

async function idTokenClaims(token: string, jwks: Jwks): Promise<Claims> {
  let claims: unknown;
  try {
    claims = await verifiedClaims(token, jwks, "RS256");
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    throw refused("its signature does not verify", error);
  }
  if (!compiledClaims().Check(claims)) throw refused("a claim is missing or of the wrong type");
  return claims;
}

function requireClaims(
  { iss, aud, exp, iat, nbf }: Claims,
  { issuer, audience, nowS }: { issuer: string; audience: string; nowS: number },
): void {
  if (iss !== issuer && !isGoogleWithoutScheme(iss, issuer)) throw refused("it is of another issuer");
  if ((typeof aud === "string" ? aud : aud[0]) !== audience) throw refused("it is for another audience");
  if (exp <= nowS) throw refused("it has expired");
  if (iat < nowS - ID_TOKEN_MAX_AGE_S) throw refused("it was issued more than 5 minutes ago");
  if (Math.max(iat, nbf ?? iat) > nowS + CLOCK_SKEW_S) throw refused("it is not valid yet");
}

/** Google writes its issuer with and without scheme; the account is stored under the configured one. */
function isGoogleWithoutScheme(iss: string, issuer: string): boolean {
  return issuer === GOOGLE_ISSUER && `https://${iss}` === GOOGLE_ISSUER;
}

function refused(reason: string, cause?: unknown): ServiceError {
  return new ServiceError("oidc_token_verification_error", `The id_token was not accepted: ${reason}`, {
    cause,
  });
}

function notAJwt(cause?: unknown): ServiceError {
  return new ServiceError("oidc_token_parse_error", "The id_token is not a JWT", { cause });
}
