import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { createHash, generateKeyPairSync } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import type { OidcConfig } from "../../../src/config/oidc.ts";
import { createOidcVerifier, nonceOf, type OidcVerifier } from "../../../src/proofs/identity/oidc.ts";
import { createJwks } from "../../../src/proofs/jwks.ts";
import type { OidcToken } from "../../../src/protocol/authorization.ts";
import { codeOf, errorOf } from "../../support/error-of.ts";
import { type IdTokenOptions, OidcIssuer } from "../../support/oidc-issuer.ts";
import { SettableClock } from "../../support/settable-clock.ts";

const clock = new SettableClock();
const issuer = new OidcIssuer(clock);
afterAll(() => issuer[Symbol.asyncDispose]());

const [KEY, OTHER_KEY] = [newKey(), newKey()];
const PROVIDERS = ["GOOGLE", "APPLE"] as const;
type Provider = (typeof PROVIDERS)[number];
const YEAR_MS = 365 * 24 * 60 * 60 * 1000;

let verifier: OidcVerifier;
beforeEach(() => {
  clock.set(Date.UTC(2026, 0, 15, 12));
  issuer.jwks.mode = "up";
  verifier = verifierFor(issuer.config);
});

function verifierFor(config: Pick<OidcConfig, "google" | "apple">, earliestMs = 0): OidcVerifier {
  const background = { run: async (_: string, work: () => Promise<unknown>) => void (await work()) };
  const jwksAt = (url: string) => createJwks({ url, clock, background });
  return createOidcVerifier(config, jwksAt, clock, async () => earliestMs);
}

function newKey(): string {
  const { x = "", y = "" } = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({
    format: "jwk",
  });
  const [xBytes, yBytes] = [x, y].map((coordinate) => Buffer.from(coordinate, "base64url"));
  return Buffer.concat([Buffer.of(4), xBytes ?? Buffer.of(), yBytes ?? Buffer.of()]).toString("base64");
}

const verify = (kind: Provider, options: IdTokenOptions = {}, publicKey = KEY) =>
  verifier.verify({ kind, token: issuer.token(kind, KEY, options) }, publicKey);

const nowS = () => Math.floor(clock.nowMs() / 1000);

describe.each(PROVIDERS)("an id_token of %s", (kind) => {
  test("is accepted, with its account and the nonce to consume", async () => {
    const nonce = nonceOf(KEY) ?? "";
    expect(await verify(kind)).toEqual({
      provider: kind,
      issuer: kind === "GOOGLE" ? "https://accounts.google.com" : "https://appleid.apple.com",
      sub: `${kind.toLowerCase()}-user-1`,
      email: "somebody@example.com",
      nonce: { id: `oidc-nonce|${kind}|${nonce}`, expiresAtMs: clock.nowMs() + YEAR_MS },
    });
  });

  test("with its only audience in a list is accepted", async () => {
    const [aud] = issuer.config[kind === "GOOGLE" ? "google" : "apple"]?.clientIds ?? [];
    expect((await verify(kind, { claims: { aud: [aud] } })).provider).toBe(kind);
  });

  test.each([undefined, null, "", 1, {}])("whose email is %p has none", async (email) => {
    expect((await verify(kind, { claims: { email } })).email).toBeNull();
  });

  test.each([1, 255])("whose subject has %d characters is accepted", async (length) => {
    const sub = "s".repeat(length);
    expect((await verify(kind, { claims: { sub } })).sub).toBe(sub);
  });

  test.each([
    ["at the limit of 5 minutes ago", { iat: -300 }],
    ["30 seconds ahead", { iat: 30, nbf: 30 }],
    ["with a second left", { exp: 1 }],
  ])("issued %s is accepted", async (_, offsets) => {
    const claims = Object.fromEntries(Object.entries(offsets).map(([name, s]) => [name, nowS() + s]));
    expect((await verify(kind, { claims })).provider).toBe(kind);
  });

  test("issued before the records were restored is refused, and accepted from then on", async () => {
    verifier = verifierFor(issuer.config, (nowS() - 10) * 1000);
    const error = await errorOf(() => verify(kind, { claims: { iat: nowS() - 11 } }));
    expect(error.code).toBe("oidc_token_verification_error");
    expect((await verify(kind, { claims: { iat: nowS() - 10 } })).provider).toBe(kind);
  });

  test.each<[string, () => IdTokenOptions]>([
    ["signed by another key", () => ({ wrongKey: true })],
    ["that is not signed", () => ({ algorithm: "none" })],
    ["signed with HS256 and the public key", () => ({ algorithm: "HS256" })],
    ["signed with RS512", () => ({ algorithm: "RS512" })],
    ["signed with PS256", () => ({ algorithm: "PS256" })],
    ["that says ES256", () => ({ header: { alg: "ES256" } })],
    ["without an algorithm", () => ({ header: { alg: undefined } })],
    ["with an unknown kid", () => ({ header: { kid: "unknown" } })],
    ["without a kid", () => ({ header: { kid: undefined } })],
    ["with a critical header nobody knows", () => ({ header: { crit: ["x"], x: 1 } })],
    ["that says its payload is encoded", () => ({ header: { crit: ["b64"], b64: true } })],
    ["whose payload is not encoded", () => ({ header: { crit: ["b64"], b64: false } })],
    ["with critical headers that are none", () => ({ header: { crit: [] } })],
    ["of another issuer", () => ({ claims: { iss: "https://evil.example" } })],
    ["of an issuer with a slash", () => ({ claims: { iss: "https://accounts.google.com/" } })],
    ["of an issuer in capitals", () => ({ claims: { iss: "Accounts.Google.com" } })],
    ["of an issuer with another scheme", () => ({ claims: { iss: "http://accounts.google.com" } })],
    ["of an issuer below Google's", () => ({ claims: { iss: "accounts.google.com.evil.example" } })],
    ["of Apple's issuer without a scheme", () => ({ claims: { iss: "appleid.apple.com" } })],
    ["without an issuer", () => ({ claims: { iss: undefined } })],
    ["for another audience", () => ({ claims: { aud: "another-client" } })],
    ["without an audience", () => ({ claims: { aud: undefined } })],
    ["for no audience", () => ({ claims: { aud: [] } })],
    [
      "for two audiences",
      () => ({ claims: { aud: ["google-client.apps.googleusercontent.com", "org.example.app"] } }),
    ],
    ["for an audience twice", () => ({ claims: { aud: ["org.example.app", "org.example.app"] } })],
    ["that expires now", () => ({ claims: { exp: nowS() } })],
    ["that has expired", () => ({ claims: { exp: nowS() - 1 } })],
    ["that never expires", () => ({ claims: { exp: undefined } })],
    ["whose exp is a string", () => ({ claims: { exp: String(nowS() + 60) } })],
    ["issued 5 minutes and a second ago", () => ({ claims: { iat: nowS() - 301 } })],
    ["issued 31 seconds ahead", () => ({ claims: { iat: nowS() + 31 } })],
    ["issued 31 seconds ahead and valid now", () => ({ claims: { iat: nowS() + 31, nbf: nowS() } })],
    ["without iat", () => ({ claims: { iat: undefined } })],
    ["whose iat is a string", () => ({ claims: { iat: String(nowS()) } })],
    ["not valid for another 31 seconds", () => ({ claims: { nbf: nowS() + 31 } })],
    ["without a subject", () => ({ claims: { sub: undefined } })],
    ["with an empty subject", () => ({ claims: { sub: "" } })],
    ["with a subject of 256 characters", () => ({ claims: { sub: "s".repeat(256) } })],
    ["whose subject is a number", () => ({ claims: { sub: 7 } })],
  ])("%s is refused", async (_, options) => {
    const error = await errorOf(() => verify(kind, options()));
    expect(error.code).toBe("oidc_token_verification_error");
  });

  test("with a changed claim is refused", async () => {
    const [header, payload = "", signature] = issuer.token(kind, KEY).split(".");
    const claims = { ...JSON.parse(Buffer.from(payload, "base64url").toString()), sub: "somebody-else" };
    const token = [header, Buffer.from(JSON.stringify(claims)).toString("base64url"), signature].join(".");
    expect(await codeOf(() => verifier.verify({ kind, token }, KEY))).toBe("oidc_token_verification_error");
  });

  test.each([
    "",
    "x",
    "a.b",
    "a.b.c",
    "a.b.c.d.e",
    "..",
    "e30.e30",
    "e30..e30",
    ".e30.e30",
    "W10.e30.AAAA",
    "e30.W10.AAAA",
    "e30.bnVsbA.AAAA",
    "e30.e30.!",
    "e30.e30.A",
    "bm8.e30.AAAA",
    "e30.bm8.AAAA",
  ])("that is %p is no JWT", async (token) => {
    expect(await codeOf(() => verifier.verify({ kind, token }, KEY))).toBe("oidc_token_parse_error");
  });

  test.each([
    undefined,
    null,
    "",
    1,
    "0".repeat(64),
    [[nonceOf(KEY)]],
    nonceOf(OTHER_KEY),
    nonceOf(KEY)?.toUpperCase(),
  ])("with the nonce %p is refused", async (nonce) => {
    expect(await codeOf(() => verify(kind, { claims: { nonce } }))).toBe("oidc_token_invalid_nonce");
  });

  test("of another public key is refused", async () => {
    for (const publicKey of [OTHER_KEY, "", "not base64", Buffer.alloc(65, 4).toString("base64"), `${KEY}\n`])
      expect(await codeOf(() => verify(kind, {}, publicKey))).toBe("oidc_token_invalid_nonce");
  });

  test("that names no nonce is refused with what is no public key", async () => {
    const attempt = () => verify(kind, { claims: { nonce: null } }, "not base64");
    expect(await codeOf(attempt)).toBe("oidc_token_invalid_nonce");
  });

  test("cannot be verified while the provider's keys cannot be fetched", async () => {
    issuer.jwks.mode = "down";
    expect(await codeOf(() => verify(kind))).toBe("service_unavailable");
  });

  test("is verified by the clock at the time of the request", async () => {
    const oidcToken = { kind, token: issuer.token(kind, KEY) };
    clock.advance(300_000);
    await verifier.verify(oidcToken, KEY);
    clock.advance(1000);
    expect(await codeOf(() => verifier.verify(oidcToken, KEY))).toBe("oidc_token_verification_error");
  });
});

describe("Google's issuer without a scheme", () => {
  const token = () => issuer.token("GOOGLE", KEY, { claims: { iss: "accounts.google.com" } });

  test("is Google's issuer, and kept as that", async () => {
    const { issuer: kept } = await verifier.verify({ kind: "GOOGLE", token: token() }, KEY);
    expect(kept).toBe("https://accounts.google.com");
  });

  test("is refused where another issuer is configured, and from Apple", async () => {
    const { google } = issuer.config;
    const configured = google && { ...google, issuer: "https://issuer.example" };
    const other = verifierFor({ ...issuer.config, google: configured });
    for (const attempt of [
      () => other.verify({ kind: "GOOGLE", token: token() }, KEY),
      () =>
        other.verify(
          { kind: "GOOGLE", token: issuer.token("GOOGLE", KEY, { claims: { iss: "issuer.example" } }) },
          KEY,
        ),
      () => verify("APPLE", { claims: { iss: "accounts.google.com" } }),
    ])
      expect(await codeOf(attempt)).toBe("oidc_token_verification_error");
  });
});

describe("the audience of an Apple token", () => {
  const token = (aud: string) => issuer.token("APPLE", KEY, { claims: { aud } });
  const check = (given: string | null | undefined, inToken: string) => {
    const aud = given === undefined ? {} : { aud: given };
    return verifier.verify({ kind: "APPLE", token: token(inToken), ...aud }, KEY);
  };

  test.each(["org.example.app", "org.example.web"])("may be %s when the request says so", async (aud) => {
    expect((await check(aud, aud)).provider).toBe("APPLE");
  });

  test.each([undefined, null])("is the first of the list when the request says %p", async (aud) => {
    expect((await check(aud, "org.example.app")).provider).toBe("APPLE");
    expect(await codeOf(() => check(aud, "org.example.web"))).toBe("oidc_token_verification_error");
  });

  test("must be the one the request says", async () => {
    expect(await codeOf(() => check("org.example.web", "org.example.app"))).toBe(
      "oidc_token_verification_error",
    );
  });

  test.each(["org.example.other", "", "org.example.app ", "org.example.app,org.example.web"])(
    "may not be %p, which is not in the list",
    async (aud) => {
      expect(await codeOf(() => check(aud, "org.example.app"))).toBe("oidc_token_invalid_aud");
    },
  );

  test("is the first thing to be checked", async () => {
    issuer.jwks.mode = "down";
    const oidcToken: OidcToken = { kind: "APPLE", token: "not a JWT", aud: "org.example.other" };
    expect(await codeOf(() => verifier.verify(oidcToken, ""))).toBe("oidc_token_invalid_aud");
  });
});

describe("the order of the checks", () => {
  test("is parse, verification, nonce", async () => {
    expect(await codeOf(() => verifier.verify({ kind: "GOOGLE", token: "x" }, OTHER_KEY))).toBe(
      "oidc_token_parse_error",
    );
    const expired = { claims: { exp: 0, nonce: undefined } };
    expect(await codeOf(() => verify("GOOGLE", expired, OTHER_KEY))).toBe("oidc_token_verification_error");
    expect(await codeOf(() => verify("GOOGLE", {}, OTHER_KEY))).toBe("oidc_token_invalid_nonce");
  });
});

describe("a provider that is not configured", () => {
  test("accepts no token", async () => {
    verifier = verifierFor({ google: null, apple: null });
    expect(await codeOf(() => verify("GOOGLE"))).toBe("oidc_token_verification_error");
    expect(await codeOf(() => verify("APPLE"))).toBe("oidc_token_invalid_aud");
    const named: OidcToken = { kind: "APPLE", token: issuer.token("APPLE", KEY), aud: "org.example.app" };
    expect(await codeOf(() => verifier.verify(named, KEY))).toBe("oidc_token_invalid_aud");
  });

  test("does not change what the other provider accepts", async () => {
    verifier = verifierFor({ ...issuer.config, apple: null });
    expect((await verify("GOOGLE")).provider).toBe("GOOGLE");
    verifier = verifierFor({ ...issuer.config, google: null });
    expect((await verify("APPLE")).provider).toBe("APPLE");
  });

  test("has keys and tokens that are not accepted for the other provider", async () => {
    const google = issuer.token("GOOGLE", KEY);
    expect(await codeOf(() => verifier.verify({ kind: "APPLE", token: google }, KEY))).toBe(
      "oidc_token_verification_error",
    );
  });
});

describe("the nonce of a public key", () => {
  test("is as published", () => {
    const point = p256.Point.fromHex("0394e549c71fa99dd5cf752fba623090be314949b74e4cdf7ca72031dd638e281a");
    expect(nonceOf(Buffer.from(point.toBytes(false)).toString("base64"))).toBe(
      "1663bba492a323085b13895634a3618792c4ec6896f3c34ef3c26396df22ef82",
    );
  });

  test("is of the compressed point, which names the half of the curve", () => {
    for (let scalar = 1n; scalar <= 20n; scalar++) {
      const point = p256.Point.BASE.multiply(scalar);
      const uncompressed = Buffer.from(point.toBytes(false)).toString("base64");
      expect(nonceOf(uncompressed)).toBe(createHash("sha256").update(point.toHex(true)).digest("hex"));
    }
  });

  test.each(["", "AAAA", Buffer.alloc(65).toString("base64"), KEY.slice(0, -1)])(
    "is nothing for %p, which is no public key",
    (publicKey) => {
      expect(nonceOf(publicKey)).toBeNull();
    },
  );
});
