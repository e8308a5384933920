import type { OidcConfig } from "../../src/config/oidc.ts";
import { nonceOf } from "../../src/proofs/identity/oidc.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import { JwksEndpoint, type SigningOptions } from "./jwks-endpoint.ts";

export interface IdTokenOptions extends SigningOptions {
  /** Claims other than the usual ones; `undefined` removes one. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

const PROVIDERS = {
  GOOGLE: { issuer: "https://accounts.google.com", clientIds: ["google-client.apps.googleusercontent.com"] },
  APPLE: { issuer: "https://appleid.apple.com", clientIds: ["org.example.app", "org.example.web"] },
} as const;

/** Google and Apple in one: publishes keys and mints id_tokens, good for a key and at the clock's time. */
export class OidcIssuer implements AsyncDisposable {
  readonly jwks = new JwksEndpoint("RS256");
  readonly #clock: Pick<Clock, "nowMs">;

  constructor(clock: Pick<Clock, "nowMs">) {
    this.#clock = clock;
  }

  /** The variables that make a service trust this issuer. */
  get env() {
    return {
      GOOGLE_CLIENT_ID: PROVIDERS.GOOGLE.clientIds[0],
      GOOGLE_JWKS_URL: this.jwks.url,
      APPLE_CLIENT_IDS: PROVIDERS.APPLE.clientIds.join(","),
      APPLE_JWKS_URL: this.jwks.url,
    };
  }

  get config(): OidcConfig {
    return {
      testIssuer: false,
      google: { ...PROVIDERS.GOOGLE, jwksUrl: this.jwks.url },
      apple: { ...PROVIDERS.APPLE, jwksUrl: this.jwks.url },
    };
  }

  /** @param publicKey base64 of the point that the token is for. */
  token(
    provider: keyof typeof PROVIDERS,
    publicKey: string,
    { claims = {}, ...signing }: IdTokenOptions = {},
  ): string {
    const nowS = Math.floor(this.#clock.nowMs() / 1000);
    const { issuer, clientIds } = PROVIDERS[provider];
    return this.jwks.sign(
      {
        iss: issuer,
        aud: clientIds[0],
        sub: `${provider.toLowerCase()}-user-1`,
        email: "somebody@example.com",
        email_verified: true,
        iat: nowS,
        exp: nowS + 3600,
        nonce: nonceOf(publicKey) ?? "",
        ...claims,
      },
      signing,
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.jwks[Symbol.asyncDispose]();
  }
}
