import type { EnvironmentReader } from "./environment.ts";

/** A provider of id_tokens. `clientIds` are the accepted audiences; the first is the default. */
export interface OidcProviderConfig {
  readonly clientIds: readonly [string, ...string[]];
  readonly issuer: string;
  readonly jwksUrl: string;
}

/** A provider that is `null` is not accepted. */
export interface OidcConfig {
  /** Development only: whether the service itself issues id_tokens, to any client. */
  readonly testIssuer: boolean;
  readonly google: OidcProviderConfig | null;
  readonly apple: OidcProviderConfig | null;
}

/** The issuers of the id_tokens that are accepted, whether or not their provider is configured. */
export function oidcIssuers(read: EnvironmentReader) {
  return {
    google: read.text("GOOGLE_ISSUER", "https://accounts.google.com"),
    apple: read.text("APPLE_ISSUER", "https://appleid.apple.com"),
  };
}

export function oidcConfig(read: EnvironmentReader, development: boolean): OidcConfig {
  const googleClientId = read.optional("GOOGLE_CLIENT_ID");
  const issuers = oidcIssuers(read);
  const google = {
    issuer: issuers.google,
    jwksUrl: read.keyUrl("GOOGLE_JWKS_URL", development) ?? "https://www.googleapis.com/oauth2/v3/certs",
  };
  const apple = {
    issuer: issuers.apple,
    jwksUrl: read.keyUrl("APPLE_JWKS_URL", development) ?? "https://appleid.apple.com/auth/keys",
  };
  const appleClientIds = read.list("APPLE_CLIENT_IDS");
  const isConfigured = googleClientId !== null || appleClientIds !== null;
  const testIssuer = read.boolean("OIDC_TEST_ISSUER", development && !isConfigured);
  if (testIssuer && !development)
    read.problem(
      "OIDC_TEST_ISSUER is for development only: it issues an id_token for any account to any client",
    );
  if (testIssuer && isConfigured)
    read.problem(
      "OIDC_TEST_ISSUER takes the place of GOOGLE_CLIENT_ID and APPLE_CLIENT_IDS: set one or the other",
    );
  if (testIssuer) {
    const provider = { clientIds: ["test-client"], jwksUrl: "" } as const;
    return { testIssuer, google: { ...google, ...provider }, apple: { ...apple, ...provider } };
  }
  return {
    testIssuer,
    google: googleClientId === null ? null : { clientIds: [googleClientId], ...google },
    apple: appleClientIds === null ? null : { clientIds: appleClientIds, ...apple },
  };
}
