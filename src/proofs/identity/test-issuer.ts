/**
 * An issuer of id_tokens for development: it issues one for any e-mail address, so that the account flows can be tried
 * without an account. Its keys live as long as the process.
 */
import { generateKeyPair, SignJWT } from "jose";
import { encodeBase64Url } from "../../crypto/encoding.ts";
import { ServiceError } from "../../errors.ts";
import type { Clock, Random } from "../../runtime/clock.ts";
import { memoise } from "../../runtime/memoise.ts";
import type { Jwks } from "../jwks.ts";
import { nonceOf } from "./oidc.ts";

export interface TestAccount {
  readonly issuer: string;
  readonly audience: string;
  /** Base64 of the SEC 1 uncompressed P-256 point that the id_token is to be bound to. */
  readonly publicKey: string;
  readonly email: string;
}

export interface TestIssuer {
  readonly jwks: Jwks;
  /**
   * Makes an id_token, valid for ten minutes. The same e-mail address is always the same account.
   *
   * @throws ServiceError `invalid_payload` when the public key is not a P-256 point.
   */
  idToken(account: TestAccount): Promise<string>;
}

const LIFETIME_S = 10 * 60;
const KEY_ID_BYTES = 8;

export function createTestIssuer(clock: Clock, random: Random): TestIssuer {
  /** Made on first use: it is slow, and most processes never need it. */
  const keys = memoise(() => generateKeyPair("RS256"));
  const kid = `test-${encodeBase64Url(random.bytes(KEY_ID_BYTES))}`;

  return {
    jwks: {
      async key(header) {
        if (header.kid !== kid) throw new Error("the token was not issued by this process");
        return (await keys()).publicKey;
      },
    },

    async idToken({ issuer, audience, publicKey, email }) {
      const nonce = nonceOf(publicKey);
      if (nonce === null)
        throw new ServiceError("invalid_payload", "publicKey is not a P-256 point in base64 (65 bytes)");
      const nowS = Math.floor(clock.nowMs() / 1000);
      return new SignJWT({ nonce, email })
        .setProtectedHeader({ alg: "RS256", kid, typ: "JWT" })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(`test|${email}`)
        .setIssuedAt(nowS)
        .setExpirationTime(nowS + LIFETIME_S)
        .sign((await keys()).privateKey);
    },
  };
}
