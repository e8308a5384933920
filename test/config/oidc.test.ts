import { describe, expect, test } from "bun:test";
import { development, problemsOf, production, reads, refuses, requiresSafeKeyUrl } from "./environments.ts";

describe("the configuration of Google and Apple accounts", () => {
  reads([
    [
      { GOOGLE_CLIENT_ID: "g" },
      {
        oidc: {
          apple: null,
          google: {
            clientIds: ["g"],
            issuer: "https://accounts.google.com",
            jwksUrl: "https://www.googleapis.com/oauth2/v3/certs",
          },
        },
      },
    ],
    [
      { GOOGLE_CLIENT_ID: "g", GOOGLE_ISSUER: "i", GOOGLE_JWKS_URL: "http://127.0.0.1:1/keys" },
      { oidc: { google: { clientIds: ["g"], issuer: "i", jwksUrl: "http://127.0.0.1:1/keys" } } },
    ],
    [{ GOOGLE_ISSUER: "i" }, { oidc: { testIssuer: true, google: { issuer: "i" } } }],
    [{ OIDC_TEST_ISSUER: "true" }, { oidc: { testIssuer: true } }],
    [
      { OIDC_TEST_ISSUER: "false", GOOGLE_ISSUER: "i" },
      { oidc: { testIssuer: false, google: null, apple: null } },
    ],
    [{ OIDC_TEST_ISSUER: "false", GOOGLE_CLIENT_ID: "g" }, { oidc: { testIssuer: false, apple: null } }],
    [
      { APPLE_CLIENT_IDS: "a, b,,c" },
      {
        oidc: {
          google: null,
          apple: {
            clientIds: ["a", "b", "c"],
            issuer: "https://appleid.apple.com",
            jwksUrl: "https://appleid.apple.com/auth/keys",
          },
        },
      },
    ],
    [
      { APPLE_CLIENT_IDS: "a", APPLE_ISSUER: "i", APPLE_JWKS_URL: "https://k.example/" },
      { oidc: { apple: { clientIds: ["a"], issuer: "i", jwksUrl: "https://k.example/" } } },
    ],
  ]);

  refuses([
    ["OIDC_TEST_ISSUER", ["yes", "1", "TRUE"]],
    ["GOOGLE_JWKS_URL", ["keys", "ftp://x.example", "file:///etc/passwd"]],
    ["APPLE_JWKS_URL", ["//x.example"]],
    ["APPLE_CLIENT_IDS", [",", " , ,"]],
  ]);

  requiresSafeKeyUrl("GOOGLE_JWKS_URL");
  requiresSafeKeyUrl("APPLE_JWKS_URL");

  test("refuses the test issuer outside development and together with a real one", () => {
    for (const APP_ENV of ["production", "staging"])
      expect(problemsOf({ ...production, APP_ENV, OIDC_TEST_ISSUER: "true" })).toEqual([
        "OIDC_TEST_ISSUER is for development only: it issues an id_token for any account to any client",
      ]);
    for (const provider of ["GOOGLE_CLIENT_ID", "APPLE_CLIENT_IDS"]) {
      const problems = problemsOf({ ...development, OIDC_TEST_ISSUER: "true", [provider]: "x" });
      expect(problems).toHaveLength(1);
      expect(problems[0]).toStartWith("OIDC_TEST_ISSUER takes the place of");
    }
  });
});
