import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { startService, TEST_CHALLENGE_TOKEN_KEYS, type TestService } from "../support/service.ts";

const [driver] = DRIVERS;
if (driver === undefined) throw new Error("there is no driver");

const APP = "https://app.example";
const CHALLENGE = "/v1/sync/challenge/keypair";

const start = (env: Readonly<Record<string, string>>) => startService(driver, { env });

const preflightOf = ({ url }: TestService, origin: string, path = CHALLENGE) =>
  fetch(url + path, {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "content-type",
    },
  });

const challengeOf = ({ url }: TestService, origin: string, body = "{}", path = CHALLENGE) =>
  fetch(url + path, { method: "POST", headers: { origin, "content-type": "application/json" }, body });

/** The headers of the CORS protocol, without `access-control-`. */
function corsHeaders({ headers }: Response): Record<string, string> {
  return Object.fromEntries(
    [...headers].flatMap(([name, value]) =>
      name.startsWith("access-control-") ? [[name.slice("access-control-".length), value]] : [],
    ),
  );
}

describe("a web page", () => {
  test("of a configured origin is allowed by the response to a preflight request", async () => {
    await using service = await start({ CORS_ORIGINS: `https://other.example,${APP}` });
    for (const path of [CHALLENGE, "/v1/create", "/v1/sync", "/v1/retrieve/from-challenge"]) {
      const answer = await preflightOf(service, APP, path);
      expect([answer.status, await answer.text()]).toEqual([204, ""]);
      expect(corsHeaders(answer)).toEqual({
        "allow-origin": APP,
        "allow-methods": "POST",
        "allow-headers": "content-type, attestation-token, client-name, client-version, x-request-id",
        "expose-headers": "x-request-id, retry-after, attestation-failure",
        "max-age": "7200",
      });
      expect(answer.headers.get("vary")).toBe("origin");
      expect(answer.headers.get("x-request-id")).not.toBeNull();
      expect(answer.headers.get("cache-control")).toBe("no-store");
    }
  });

  test("reads answers and errors of every layer, with what it needs of their headers", async () => {
    await using service = await start({ CORS_ORIGINS: APP });
    const answers = [
      [await challengeOf(service, APP), 200],
      [await challengeOf(service, APP, "{"), 400],
      [await challengeOf(service, APP, "x".repeat(3_000_000)), 413],
      [await challengeOf(service, APP, "{}", "/v1/nowhere"), 404],
      [await challengeOf(service, APP, "{}", "/health"), 405],
    ] as const;
    for (const [answer, status] of answers) {
      expect(answer.status).toBe(status);
      expect(corsHeaders(answer)).toEqual({
        "allow-origin": APP,
        "expose-headers": "x-request-id, retry-after, attestation-failure",
      });
    }
  });

  test("varies by origin for caches, besides the encoding", async () => {
    await using service = await start({ CORS_ORIGINS: APP });
    const document = () => fetch(`${service.url}/openapi.json`, { headers: { origin: APP } });
    expect((await document()).headers.get("vary")).toBe("accept-encoding, origin");
    expect((await challengeOf(service, "https://evil.example")).headers.get("vary")).toBe("origin");
  });

  for (const origin of [
    "https://evil.example",
    "https://app.example.evil.example",
    "https://sub.app.example",
    "http://app.example",
    "https://app.example:8443",
    "https://APP.example",
    "null",
    "http://localhost:3000",
  ])
    test(`of the origin ${origin} gets nothing where another one is configured`, async () => {
      await using service = await start({ CORS_ORIGINS: APP });
      const preflight = await preflightOf(service, origin);
      expect([preflight.status, corsHeaders(preflight)]).toEqual([405, {}]);
      const answer = await challengeOf(service, origin);
      expect([answer.status, corsHeaders(answer)]).toEqual([200, {}]);
    });

  test("of any origin is not allowed where none is configured, and no response varies by origin", async () => {
    await using service = await start({});
    for (const origin of [APP, "http://localhost:3000", service.url]) {
      const [preflight, answer] = [await preflightOf(service, origin), await challengeOf(service, origin)];
      expect([preflight.status, corsHeaders(preflight)]).toEqual([405, {}]);
      expect([answer.status, corsHeaders(answer), answer.headers.get("vary")]).toEqual([200, {}, null]);
    }
  });

  test("without an origin, or with OPTIONS that is no preflight request, gets what it got before", async () => {
    await using service = await start({ CORS_ORIGINS: APP });
    const plain = await fetch(service.url + CHALLENGE, { method: "OPTIONS", headers: { origin: APP } });
    expect([plain.status, plain.headers.get("allow")]).toEqual([405, "POST"]);
    const unknown = await preflightOf(service, APP, "/v1/nowhere");
    expect(unknown.status).toBe(404);
    const withoutOrigin = await fetch(service.url + CHALLENGE, {
      method: "OPTIONS",
      headers: { "access-control-request-method": "POST" },
    });
    expect([withoutOrigin.status, corsHeaders(withoutOrigin)]).toEqual([405, {}]);
  });

  test("does not use up the limit of challenges by its preflight requests, and reads that it is used up", async () => {
    await using service = await start({
      CORS_ORIGINS: APP,
      RATE_LIMITS: "true",
      RATE_LIMIT_ADDRESS_CHALLENGES_PER_MINUTE: "1",
    });
    for (let n = 0; n < 5; n++) expect((await preflightOf(service, APP)).status).toBe(204);
    expect((await challengeOf(service, APP)).status).toBe(200);
    const limited = await challengeOf(service, APP);
    expect([limited.status, corsHeaders(limited)["allow-origin"]]).toEqual([429, APP]);
    expect(Number(limited.headers.get("retry-after"))).toBeGreaterThan(0);
  });
});

describe("in development a web page", () => {
  const development = { APP_ENV: "development", CHALLENGE_TOKEN_KEYS: TEST_CHALLENGE_TOKEN_KEYS };

  for (const [origin, isAllowed] of [
    ["http://localhost:3000", true],
    ["https://localhost", true],
    ["http://127.0.0.1:5173", true],
    ["http://127.8.9.10", true],
    ["http://[::1]:8080", true],
    ["https://app.example", false],
    ["http://localhost.evil.example", false],
    ["http://127.0.0.1.evil.example", false],
    ["http://127.1:80", false],
    ["http://localhost:3000/", false],
    ["http://user@localhost", false],
    ["ftp://localhost", false],
    ["null", false],
    ["", false],
  ] as const)
    test(`of the origin "${origin}" is ${isAllowed ? "allowed" : "not allowed"}`, async () => {
      await using service = await start(development);
      const answer = await challengeOf(service, origin);
      expect(corsHeaders(answer)["allow-origin"] ?? null).toBe(isAllowed ? origin : null);
      expect((await preflightOf(service, origin)).status).toBe(isAllowed ? 204 : 405);
    });
});
