import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { ROUTER_OPTIONS } from "../../src/app.ts";
import { attestedJsonBody } from "../../src/http/body/body.ts";
import { DISCARD_LIMITS } from "../../src/http/body/unread-body.ts";
import { errorHandler } from "../../src/http/error-handler.ts";
import { type RunningServer, startServer } from "../../src/http/listen.ts";
import { pathOf } from "../../src/http/path.ts";
import { withRequestContext } from "../../src/http/request-context.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { DRIVERS } from "../drivers.ts";
import { AttestationIssuer } from "../support/attestation-issuer.ts";
import { openConnection, type RawAnswer } from "../support/raw-http.ts";
import { startService, type TestService } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { solved, userWithBackup } from "../support/users.ts";

describe("the path of a request", () => {
  const urls = [
    "http://a/health",
    "http://localhost:8000/v1/create?x=/y#/z",
    "http://localhost:8000/?/v1/create",
    "http://[::1]:8000/a//b/",
    "http://localhost/v1/%63reate",
  ];
  for (const url of urls)
    test(`of ${url} is what parsing it gives`, () => {
      expect(pathOf(url)).toBe(new URL(url).pathname);
    });

  const refused = [
    "",
    "/v1/create",
    "//localhost/v1/create",
    "localhost/v1/create",
    "ftp://localhost/v1/create",
    "http://%/v1/create",
    "http://a:99999/v1/create",
    "http://localhost/v1/../create",
    "http://localhost/a#b",
    "http://localhost?/v1/create",
  ];
  for (const url of refused)
    test(`of ${JSON.stringify(url)} is none that everybody would read in the same way`, () => {
      expect(pathOf(url)).toBeNull();
    });
});

const HOSTS = [
  "localhost",
  "LOCALHOST:8000",
  "a",
  "a:",
  "a:80",
  "a.b.c",
  "a_b",
  "1.2.3.4",
  "[::1]",
  "[::1]:80",
];
const NO_HOSTS = [
  ...[
    "a@b",
    "a:b@c",
    "a?b",
    "a?://h/v1/other",
    "a#",
    "a/b",
    "a/v1/other?",
    "a\\b",
    "a b",
    "a\tb",
    "a<b",
    "a^b",
  ],
  ...[
    "\u00e9",
    "\u65e5\u672c",
    "",
    "%",
    "a%20b",
    "a:99999",
    "a:b",
    "[::1",
    "http://a",
    "xn--",
    "1.2.3.4.5",
    "?",
    "#",
    "/",
  ],
];
const TARGETS = [
  ...[
    "/",
    "//x",
    "///v1",
    "//h/v1/x",
    "/v1/create",
    "/v1/create/",
    "/v1/%63reate",
    "/v1/x;y",
    "/v1/./x",
    "/v1/../x",
  ],
  ...[
    "/v1/x/.",
    "/v1/%2e%2e/x",
    "/a\\b",
    "/%",
    "/%00",
    "/a|b",
    '/"<>',
    "/\u00e9",
    "/v1/x?://h/v1/other",
    "/?://h/v1/x",
  ],
  ...[
    "/v1/x?a=/b://c/d",
    "/v1/x??y",
    "/v1/x?y#z",
    "/v1/x#y",
    "/v1/x#?y",
    "http://h/v1/x",
    "http://h",
    "http://h?/v1/x",
  ],
  ...["https://h:1/v1/x", "http://a@b/v1/x", "ftp://h/v1/x", "*", "h:443", "v1/x", "?/v1/x"],
];

/** What each part of the service took for the path of one request. */
interface Readings {
  routed: string | null;
  limits: string | null;
  attestation: string | null;
}

for (const driver of DRIVERS.slice(0, 1))
  describe("a request", () => {
    let service: TestService;
    let server: RunningServer;
    let seen: Readings;
    const unread = (): Readings => ({ routed: null, limits: null, attestation: null });

    beforeAll(async () => {
      service = await startService(driver);
      const { services } = service;
      const router = new Elysia(ROUTER_OPTIONS).use(errorHandler({ ...services, methodsOf: () => [] })).post(
        "*",
        ({ path }) => {
          seen.routed = path;
          return "routed";
        },
        attestedJsonBody(Type.Object({}), {
          async verify({ path }) {
            seen.attestation = path;
            return { failure: null };
          },
        }),
      );
      const requestLimits = {
        ...services.requestLimits,
        admit(path: string) {
          seen.limits = path;
        },
      };
      const served = { name: null, requestLimits, handle: (request: Request) => router.fetch(request) };
      const handle = withRequestContext(
        services,
        { timeoutMs: 30_000, clock: systemClock, discardLimits: DISCARD_LIMITS, methodsOf: () => ["POST"] },
        () => served,
      );
      server = startServer(services, { fetch: handle });
    });
    afterAll(async () => {
      await server.stop(0);
      await service[Symbol.asyncDispose]();
    });

    /** Sends the bytes of a head with `{}` as the body. */
    async function send(start: string, headers: string): Promise<RawAnswer> {
      using connection = await openConnection(server.url);
      seen = unread();
      const type = "content-type: application/json\r\ncontent-length: 2\r\n";
      await connection.write(Buffer.from(`${start}\r\n${headers}${type}\r\n{}`));
      return await connection.answer();
    }

    async function routesCounted(): Promise<ReadonlySet<string>> {
      const metrics = await service.services.metrics.text();
      return new Set(
        [...metrics.matchAll(/^http_requests_total\{.*route="((?:[^"\\]|\\.)*)"/gm)].map(
          ([, route = ""]) => route,
        ),
      );
    }

    /** The answer, which is refused by all or read in one way by all. */
    async function expectOneReading(target: string, headers: string): Promise<RawAnswer> {
      const lines = service.logged.length;
      const answer = await send(`POST ${target} HTTP/1.1`, headers);
      const logged = service.logged.slice(lines).map((line) => JSON.parse(line));
      const requestId = answer.headers.get("x-request-id");
      if (requestId === undefined) {
        // Bun's own refusal of what is not HTTP: nothing of ours has seen the request
        expect({ target, seen, logged, isRefused: answer.status >= 400 }).toEqual({
          target,
          seen: unread(),
          logged: [],
          isRefused: true,
        });
        return answer;
      }
      const path = seen.routed;
      expect({ target, headers, seen }).toEqual({
        target,
        headers,
        seen: { routed: path, limits: path, attestation: path },
      });
      expect(logged).toMatchObject([{ requestId, status: answer.status, route: path ?? "" }]);
      expect(await routesCounted()).toContain((path ?? "").replaceAll("\\", "\\\\").replaceAll('"', '\\"'));
      if (path === null) expectRefused(answer);
      else expect(answer.status).toBe(200);
      return answer;
    }

    function expectRefused({ status, headers, body }: RawAnswer): void {
      expect([status, headers.get("content-type")]).toEqual([400, "application/json"]);
      const message = expect.any(String);
      expect(JSON.parse(body)).toEqual({ allowRetry: false, error: { code: "invalid_payload", message } });
    }

    for (const host of HOSTS)
      test(`with the Host ${JSON.stringify(host)} has one path for every reader, whatever its target`, async () => {
        for (const target of TARGETS) await expectOneReading(target, `host: ${host}\r\n`);
        await expectOneReading("/v1/create?x=/y", `host: ${host}\r\n`);
        expect(seen.routed).toBe("/v1/create");
      });

    for (const host of NO_HOSTS)
      test(`with the Host ${JSON.stringify(host)}, which is none, is refused before anything reads it`, async () => {
        for (const target of TARGETS) {
          const answer = await expectOneReading(target, `host: ${host}\r\n`);
          expect({ target, status: answer.status }).not.toEqual({ target, status: 200 });
        }
        expectRefused(await expectOneReading("/v1/create", `host: ${host}\r\n`));
      });

    test("with two Hosts is refused before anything reads it", async () => {
      for (const [first, second] of [
        ["a", "b"],
        ["a", "a"],
        ["a", "b@c"],
        ["b@c", "a"],
        ["b?c", "d#"],
      ])
        for (const target of TARGETS) {
          const answer = await expectOneReading(target, `host: ${first}\r\nhost: ${second}\r\n`);
          expect({ target, status: answer.status }).not.toEqual({ target, status: 200 });
        }
    });

    test("without a Host has one path for every reader", async () => {
      for (const target of TARGETS) {
        await expectOneReading(target, "");
        const old = await send(`POST ${target} HTTP/1.0`, "");
        expect([seen.limits, seen.attestation]).toEqual([seen.routed, seen.routed]);
        if (old.headers.has("x-request-id") && seen.routed === null) expectRefused(old);
      }
    });
  });

for (const driver of DRIVERS)
  test(`an attestation about another path is none, whatever the Host (${driver.name})`, async () => {
    const clock = new SettableClock();
    await using gateway = new AttestationIssuer(clock);
    await using service = await startService(driver, {
      env: { ...gateway.env, RATE_LIMITS: "true", RATE_LIMIT_ADDRESS_CHALLENGES_PER_MINUTE: "10" },
    });
    const user = await userWithBackup(service.client);
    const body = JSON.stringify(await solved(service.client, "retrieve", user.main));
    const attested = "/v1/other";
    const token = gateway.token({ method: "POST", path: attested, body });
    const send = async (host: string, target: string, sent: string, more = "") => {
      using connection = await openConnection(service.url);
      const headers = `host: ${host}\r\ncontent-type: application/json\r\ncontent-length: ${sent.length}\r\n${more}`;
      await connection.write(`POST ${target} HTTP/1.1\r\n${headers}\r\n${sent}`);
      const answer = await connection.answer();
      return [answer.status, JSON.parse(answer.body).error?.code];
    };
    const recovery = `/v1/retrieve/from-challenge?://h${attested}`;
    const attestation = `attestation-token: ${token}\r\n`;
    for (const host of ["a@b", "a?b", "a#", "a/b"]) {
      expect(await send(host, recovery, body, attestation)).toEqual([400, "invalid_payload"]);
      // nor is there a challenge that no limit counts
      expect(await send(host, "/v1/sync/challenge/keypair?://h/x", "{}")).toEqual([400, "invalid_payload"]);
    }
    expect(await send("a", recovery, body, attestation)).toEqual([400, "invalid_attestation_token_claim"]);
  });
