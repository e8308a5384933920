import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import type { AttestationConfig } from "../../../src/config/attestation.ts";
import {
  type AttestationVerifier,
  createAttestationVerifier,
} from "../../../src/proofs/app-attestation/verifier.ts";
import { createJwks } from "../../../src/proofs/jwks.ts";
import { AttestationIssuer, type AttestationOptions } from "../../support/attestation-issuer.ts";
import { codeOf, errorOf } from "../../support/error-of.ts";
import { SettableClock } from "../../support/settable-clock.ts";

const clock = new SettableClock();
const gateway = new AttestationIssuer(clock);
afterAll(() => gateway[Symbol.asyncDispose]());

const request = { method: "POST", path: "/v1/verify-factor", body: '{"challengeToken":"t"}' };
const BYPASS = "let me through, I am a test";
const nowS = () => Math.floor(clock.nowMs() / 1000);

let verifier: AttestationVerifier;
beforeEach(() => {
  clock.set(Date.UTC(2026, 0, 15, 12));
  gateway.jwks.mode = "up";
  verifier = verifierWith({});
});

const background = { run: async (_: string, work: () => Promise<unknown>) => void (await work()) };
const jwksAt = (url: string) => createJwks({ url, clock, background });

function verifierWith(changes: Partial<AttestationConfig>): AttestationVerifier {
  return createAttestationVerifier({ ...gateway.config, ...changes }, jwksAt, clock);
}

const verify = (options: AttestationOptions = {}) =>
  verifier.verify({ ...request, header: gateway.token(request, options) });

describe("an attestation", () => {
  test("of this request is accepted", async () => {
    expect(await verify()).toEqual({ failure: null });
  });

  test("by a gateway whose clock is up to 30 s ahead is accepted", async () => {
    for (const aheadS of [1, 30])
      expect(await verify({ claims: { iat: nowS() + aheadS } })).toEqual({ failure: null });
  });

  test("of a request without a body is accepted", async () => {
    for (const body of [null, ""]) {
      const bare = { ...request, body };
      expect(await verifier.verify({ ...bare, header: gateway.token(bare) })).toEqual({ failure: null });
    }
  });

  test("of the same request encoded differently is accepted", async () => {
    const encoded = { ...request, body: '{\n "extra": null, "challengeToken": "\\u0074" }' };
    expect(await verifier.verify({ ...encoded, header: gateway.token(request) })).toEqual({ failure: null });
  });

  test.each([null, "", "täken", "a\nb", "\u0000", "a\u007f"])("that is %p is no header", async (header) => {
    expect(await codeOf(() => verifier.verify({ ...request, header }))).toBe(
      "invalid_attestation_token_header",
    );
  });

  test.each<[string, () => Record<string, unknown>]>([
    ["jti", () => ({ jti: undefined })],
    ["jti", () => ({ jti: "0".repeat(64) })],
    ["jti", () => ({ jti: 1 })],
    ["exp", () => ({ exp: undefined })],
    ["exp", () => ({ exp: nowS() })],
    ["exp", () => ({ exp: nowS() - 1 })],
    ["exp", () => ({ exp: String(nowS() + 60) })],
    ["exp", () => ({ exp: null })],
    ["aud", () => ({ aud: undefined })],
    ["aud", () => ({ aud: "somebody.else" })],
    ["aud", () => ({ aud: ["toolsforhumanity.com"] })],
    ["aud", () => ({ aud: "" })],
  ])("whose %s is wrong is refused, naming the claim", async (name, claims) => {
    const error = await errorOf(() => verify({ claims: claims() }));
    expect(error.code).toBe("invalid_attestation_token_claim");
    expect(error.message).toContain(name);
  });

  test.each([
    ["another body", { body: '{"challengeToken":"u"}' }],
    ["a body where there was none", { body: null }],
    ["another path", { path: "/v1/delete-factor" }],
    ["another method", { method: "PUT" }],
  ])("of %s is refused", async (_, changes) => {
    const error = await errorOf(() =>
      verifier.verify({ ...request, header: gateway.token({ ...request, ...changes }) }),
    );
    expect(error.code).toBe("invalid_attestation_token_claim");
    expect(error.message).toContain("jti");
  });

  test.each<[string, () => AttestationOptions]>([
    ["signed by another key", () => ({ wrongKey: true })],
    ["that is not signed", () => ({ algorithm: "none" })],
    ["signed with HS256 and the public key", () => ({ algorithm: "HS256" })],
    ["that says RS256", () => ({ header: { alg: "RS256" } })],
    ["without an algorithm", () => ({ header: { alg: undefined } })],
    ["with an unknown kid", () => ({ header: { kid: "unknown" } })],
    ["without a kid", () => ({ header: { kid: undefined } })],
    ["with a critical header nobody knows", () => ({ header: { crit: ["x"], x: 1 } })],
    ["that says its payload is encoded", () => ({ header: { crit: ["b64"], b64: true } })],
    ["whose payload is not encoded", () => ({ header: { crit: ["b64"], b64: false } })],
    ["with critical headers that are none", () => ({ header: { crit: [] } })],
    ["of another issuer", () => ({ claims: { iss: "somebody.else" } })],
    ["without an issuer", () => ({ claims: { iss: undefined } })],
    ["issued in the future", () => ({ claims: { iat: nowS() + 31 } })],
    ["without iat", () => ({ claims: { iat: undefined } })],
    ["whose iat is a string", () => ({ claims: { iat: String(nowS()) } })],
    ["that did not pass", () => ({ claims: { pass: false } })],
    ["without pass", () => ({ claims: { pass: undefined } })],
    ["whose pass is only truthy", () => ({ claims: { pass: "true" } })],
    ["whose pass is 1", () => ({ claims: { pass: 1 } })],
  ])("%s is refused", async (_, options) => {
    expect(await codeOf(() => verify(options()))).toBe("invalid_attestation_token");
  });

  test("that is no JWS of an object is refused", async () => {
    for (const header of ["x", " ", "a.b", "a.b.c", "..", "e30.e30.AAAA", "a.b.c.d.e", BYPASS])
      expect(await codeOf(() => verifier.verify({ ...request, header }))).toBe("invalid_attestation_token");
  });

  test("cannot be verified while the gateway cannot be reached", async () => {
    gateway.jwks.mode = "down";
    expect(await codeOf(() => verify())).toBe("service_unavailable");
  });

  test("of a body that is not JSON fails as an invalid body", async () => {
    const header = gateway.token(request);
    expect(await codeOf(() => verifier.verify({ ...request, body: "{", header }))).toBe("invalid_payload");
  });

  test("is verified by the clock", async () => {
    const header = gateway.token(request);
    clock.advance(299_999);
    expect(await verifier.verify({ ...request, header })).toEqual({ failure: null });
    clock.advance(1);
    expect(await codeOf(() => verifier.verify({ ...request, header }))).toBe(
      "invalid_attestation_token_claim",
    );
  });

  test("is of the configured issuer and audience", async () => {
    verifier = verifierWith({ issuer: "gateway.example", audience: "app.example" });
    expect(await codeOf(() => verify())).toBe("invalid_attestation_token");
    expect(await verify({ claims: { iss: "gateway.example", aud: "app.example" } })).toEqual({
      failure: null,
    });
  });
});

describe("the bypass token", () => {
  test("passes, and only if it is exactly the same", async () => {
    verifier = verifierWith({ bypassToken: BYPASS });
    expect(await verifier.verify({ ...request, header: BYPASS })).toEqual({ failure: null });
    for (const header of [BYPASS.slice(1), `${BYPASS} `, BYPASS.toUpperCase(), "null"])
      expect(await codeOf(() => verifier.verify({ ...request, header }))).toBe("invalid_attestation_token");
    expect(await verify()).toEqual({ failure: null });
  });

  test("needs no gateway", async () => {
    verifier = verifierWith({ bypassToken: BYPASS, jwksUrl: null });
    expect(await verifier.verify({ ...request, header: BYPASS })).toEqual({ failure: null });
    expect(await codeOf(() => verify())).toBe("invalid_attestation_token");
  });
});

describe("report mode", () => {
  beforeEach(() => {
    verifier = verifierWith({ mode: "report" });
  });

  test("accepts a valid attestation and reports nothing", async () => {
    expect(await verify()).toEqual({ failure: null });
  });

  test("accepts everything else and reports what is wrong", async () => {
    const { failure } = await verify({ claims: { exp: 0 } });
    expect(failure).toContain("exp");
    for (const header of [null, "x", "täken"])
      expect((await verifier.verify({ ...request, header })).failure).toBeString();
    const header = gateway.token(request);
    expect((await verifier.verify({ ...request, body: "{", header })).failure).toBeString();
  });

  test("says it in a way that a header can carry", async () => {
    for (const header of [null, "x", "täken\r\n", gateway.token(request, { claims: { jti: "x" } })]) {
      const { failure } = await verifier.verify({ ...request, header });
      expect(failure).toMatch(/^[\x20-\x7e]+$/);
    }
  });

  test("accepts requests during an outage of the gateway, and without a gateway", async () => {
    gateway.jwks.mode = "down";
    expect((await verify()).failure).toContain("cannot be fetched");
    verifier = verifierWith({ mode: "report", jwksUrl: null });
    expect((await verify()).failure).toContain("no attestation gateway");
  });

  test("does not report a fault of the service as one of the attestation", async () => {
    const fault = new Error("the clock has stopped");
    const nowMs = () => {
      throw fault;
    };
    const stopped = { nowMs, elapsedMs: () => 0 };
    const broken = createAttestationVerifier({ ...gateway.config, mode: "report" }, jwksAt, stopped);
    const header = gateway.token(request);
    expect(await broken.verify({ ...request, header }).catch((error: unknown) => error)).toBe(fault);
  });
});

test("attestation that is off verifies nothing and fetches nothing", async () => {
  const asked = gateway.jwks.requests;
  verifier = verifierWith({ mode: "off" });
  for (const header of [null, "x", gateway.token(request, { wrongKey: true })])
    expect(await verifier.verify({ ...request, body: "{", header })).toEqual({ failure: null });
  expect(gateway.jwks.requests).toBe(asked);
});
