import { describe, expect, test } from "bun:test";
import {
  development,
  problemsOf,
  production,
  reads,
  refuses,
  requires,
  requiresSafeKeyUrl,
} from "./environments.ts";

describe("the configuration of app attestation", () => {
  requires(["ATTESTATION_GATEWAY_URL"]);

  reads([
    [{ ATTESTATION: "off" }, { attestation: { mode: "off" } }],
    [
      { ATTESTATION: "enforce", ATTESTATION_GATEWAY_URL: "https://g.example/base/" },
      { attestation: { mode: "enforce", jwksUrl: "https://g.example/base/.well-known/jwks.json" } },
    ],
    [{ ATTESTATION_ISSUER: "i", ATTESTATION_AUDIENCE: "a" }, { attestation: { issuer: "i", audience: "a" } }],
    [
      { ATTESTATION: "enforce", ATTESTATION_GATEWAY_BYPASS_TOKEN: "secret" },
      { attestation: { mode: "enforce", jwksUrl: null, bypassToken: "secret" } },
    ],
  ]);

  refuses([
    ["ATTESTATION", ["on", "true", "Enforce"]],
    ["ATTESTATION_GATEWAY_URL", ["gateway.example", "ws://x.example"]],
  ]);

  requiresSafeKeyUrl("ATTESTATION_GATEWAY_URL");

  test("requires a gateway, or a bypass token, where attestations are verified", () => {
    expect(problemsOf({ ...development, ATTESTATION: "enforce" })).toEqual([
      "ATTESTATION_GATEWAY_URL is required while ATTESTATION is enforce; ATTESTATION=off needs no gateway",
    ]);
    expect(problemsOf({ ...production, ATTESTATION: "report", ATTESTATION_GATEWAY_URL: "" })).toEqual([
      "ATTESTATION_GATEWAY_URL is required while ATTESTATION is report; ATTESTATION=off needs no gateway",
    ]);
    expect(problemsOf({ ...production, ATTESTATION: "off", ATTESTATION_GATEWAY_URL: "" })).toEqual([]);
  });

  test("refuses a bypass token in production, and does not show it", () => {
    const env = { ...production, ATTESTATION_GATEWAY_BYPASS_TOKEN: "open sesame" };
    expect(problemsOf(env)).toEqual(["ATTESTATION_GATEWAY_BYPASS_TOKEN must not be set in production"]);
    expect(problemsOf({ ...env, ATTESTATION: "off" })).toHaveLength(1);
    expect(problemsOf({ ...env, APP_ENV: "staging" })).toEqual([]);
  });
});
