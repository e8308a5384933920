import { afterAll, describe, expect, test } from "bun:test";
import { encodeHex, sha256 } from "../../src/crypto/encoding.ts";
import { operations } from "../../src/protocol/operations.ts";
import { DRIVERS, type Driver } from "../drivers.ts";
import type { ApiClient, RequestBody } from "../support/api-client.ts";
import { AttestationIssuer, type AttestationOptions } from "../support/attestation-issuer.ts";
import { apiReferenceOf } from "../support/documented-client.ts";
import { addedSyncFactor } from "../support/proven-calls.ts";
import { head, openConnection } from "../support/raw-http.ts";
import { sharedService } from "../support/shared-service.ts";
import { metadataOf, solved, userWithBackup } from "../support/users.ts";

const RETRIEVE = "/v1/retrieve/from-challenge";
const MIB = 1024 * 1024;
const BYPASS = "let me through, I am a test";
const HEADER = "invalid_attestation_token_header";
const CLAIM = "invalid_attestation_token_claim";
const TOKEN = "invalid_attestation_token";

/** The routes that need an attestation, each with a request that is valid in all else. */
const ATTESTED: Readonly<Record<string, (client: ApiClient) => Promise<RequestBody>>> = {
  [RETRIEVE]: async (client) => solved(client, "retrieve", (await userWithBackup(client)).main),
  "/v1/verify-factor": async (client) => solved(client, "verify-factor", (await userWithBackup(client)).main),
  "/v1/undelete": async (client) => {
    const { account, main, sync } = await userWithBackup(client);
    (await client.deleteBackup(await solved(client, "delete-backup", sync))).ok();
    const bound = { backupId: account.backupAccountId };
    return { ...(await solved(client, "undelete", main, bound)), ...bound };
  },
  "/v1/delete-factor": async (client) => {
    const user = await userWithBackup(client);
    const factorId = (await metadataOf(client, user)).syncFactors[0]?.id ?? "";
    return { ...(await solved(client, "delete-factor", user.sync, { factorId })), factorId, scope: "SYNC" };
  },
};
const ROUTES = Object.entries(ATTESTED);

for (const driver of DRIVERS) {
  /** A service that asks a gateway of its own. */
  const attestedService = (env: Readonly<Record<string, string>>, on: Driver = driver) => {
    const gateway = new AttestationIssuer({ nowMs: () => service().clock.nowMs() });
    const service = sharedService(on, { env: { ...gateway.env, ...env } });
    afterAll(() => gateway[Symbol.asyncDispose]());
    const send = (path: string, body: string, token: string | null) =>
      service().client.exchange(
        { method: "POST", path, response: null },
        {
          body,
          headers: {
            "content-type": "application/json",
            ...(token === null ? {} : { "attestation-token": token }),
          },
        },
      );
    const tokenOf = (path: string, body: string, options: AttestationOptions = {}) =>
      gateway.token({ method: "POST", path, body }, options);
    return { gateway, service, send, tokenOf };
  };

  describe(`attestation that is enforced (${driver.name})`, () => {
    const { gateway, service, send, tokenOf } = attestedService({});
    const nowS = () => Math.floor(service().clock.nowMs() / 1000);

    test.each(ROUTES)("%s needs one, and is refused without using anything up", async (path, valid) => {
      const body = JSON.stringify(await valid(service().client));
      const refused = await send(path, body, null);
      expect([refused.status, refused.code()]).toEqual([400, HEADER]);
      const accepted = await send(path, body, tokenOf(path, body));
      expect(accepted.status).toBe(200);
      expect(accepted.headers.has("attestation-failure")).toBe(false);
    });

    test("no other route verifies one", async () => {
      const { paths } = await apiReferenceOf(service().url);
      const asked: string[] = [];
      for (const [path, methods] of Object.entries(paths)) {
        if (methods.post === undefined) continue;
        const answer = await send(path, "{}", "garbage");
        if (answer.status > 399 && answer.code().includes("attestation")) asked.push(path);
      }
      expect(Object.keys(paths).length).toBeGreaterThan(20);
      expect(asked.toSorted()).toEqual(Object.keys(ATTESTED).toSorted());
    });

    const cases: readonly (readonly [
      name: string,
      options: () => AttestationOptions,
      code: string,
      claim?: string,
    ])[] = [
      ["of another request", () => ({ claims: { jti: "0".repeat(64) } }), CLAIM, "jti"],
      ["of no request", () => ({ claims: { jti: undefined } }), CLAIM, "jti"],
      ["that has expired", () => ({ claims: { exp: nowS() } }), CLAIM, "exp"],
      ["that never expires", () => ({ claims: { exp: undefined } }), CLAIM, "exp"],
      ["for another audience", () => ({ claims: { aud: "else" } }), CLAIM, "aud"],
      ["for a list of audiences", () => ({ claims: { aud: ["toolsforhumanity.com"] } }), CLAIM, "aud"],
      ["that did not pass", () => ({ claims: { pass: false } }), TOKEN],
      ["whose pass is no boolean", () => ({ claims: { pass: "true" } }), TOKEN],
      ["issued in the future", () => ({ claims: { iat: nowS() + 31 } }), TOKEN],
      ["of another issuer", () => ({ claims: { iss: "else" } }), TOKEN],
      ["by another key", () => ({ wrongKey: true }), TOKEN],
      ["by a key that is not published", () => ({ header: { kid: "unknown" } }), TOKEN],
      ["without key id", () => ({ header: { kid: undefined } }), TOKEN],
      ["unsigned", () => ({ algorithm: "none" }), TOKEN],
      ["signed with the public key as a secret", () => ({ algorithm: "HS256" }), TOKEN],
    ];
    test.each(cases)("an attestation %s is refused on every route", async (_, options, code, claim = "") => {
      for (const [path, valid] of ROUTES) {
        const body = JSON.stringify(path === RETRIEVE ? await valid(service().client) : {});
        const answer = await send(path, body, tokenOf(path, body, options()));
        expect([answer.status, answer.code()]).toEqual([400, code]);
        expect((answer.body as { error: { message: string } }).error.message).toContain(claim);
      }
    });

    test("an attestation of one route or body is none of another", async () => {
      const body = JSON.stringify(
        await solved(service().client, "retrieve", (await userWithBackup(service().client)).main),
      );
      for (const [path, sent, token] of [
        [RETRIEVE, body, tokenOf("/v1/verify-factor", body)],
        [RETRIEVE, body, tokenOf("/retrieve/from-challenge", body)],
        [RETRIEVE, body, gateway.token({ method: "PUT", path: RETRIEVE, body })],
        [RETRIEVE, body, gateway.token({ method: "POST", path: RETRIEVE, body: null })],
        [RETRIEVE, body.replace("EC_KEYPAIR", "PASSKEY"), tokenOf(RETRIEVE, body)],
      ] as const)
        expect((await send(path, sent, token)).code()).toBe(CLAIM);
      expect((await send(RETRIEVE, body, tokenOf(RETRIEVE, body))).status).toBe(200);
    });

    test.each([
      ["a", TOKEN],
      ["a.b.c", TOKEN],
      [BYPASS, TOKEN],
      ["", HEADER],
      [" ", HEADER],
      ["\u00e4", HEADER],
    ])("the header %j is refused with %s", async (token, code) => {
      const answer = await send(RETRIEVE, "{}", token);
      expect([answer.status, answer.code()]).toEqual([400, code]);
    });

    test("a header in UTF-8 is refused", async () => {
      using connection = await openConnection(service().url);
      const headers = {
        "content-type": "application/json",
        "content-length": 2,
        "attestation-token": "täken",
      };
      await connection.write(`${head("POST", RETRIEVE, headers)}{}`);
      const { status, body } = await connection.answer();
      expect([status, JSON.parse(body).error.code]).toEqual([400, HEADER]);
    });

    test("the attestation comes before everything in the body, and after its size and type", async () => {
      const { client } = service();
      for (const body of ["{}", "[]", "null", '{"challengeToken":1}']) {
        expect((await send(RETRIEVE, body, null)).code()).toBe(HEADER);
        expect((await send(RETRIEVE, body, tokenOf(RETRIEVE, body))).status).toBe(422);
      }
      expect((await send(RETRIEVE, "{", null)).code()).toBe(HEADER);
      expect((await send(RETRIEVE, "{", tokenOf(RETRIEVE, "{}"))).code()).toBe("invalid_payload");
      const text = { body: "{}", headers: { "content-type": "text/plain" } };
      expect((await client.exchange(operations.retrieve, text)).status).toBe(415);
    });

    describe("the hash is over the body as it was sent:", () => {
      const jtiOf = (canonicalBody: string) =>
        encodeHex(sha256(`{"body":${canonicalBody},"method":"POST","pathUri":"${RETRIEVE}"}`));
      const cases: readonly (readonly [name: string, sent: string, canonical: string])[] = [
        ["integers keep all their digits", '"n":9007199254740993', '"n":9007199254740993'],
        ["negative integers of 64 bits", '"n":-9223372036854775808', '"n":-9223372036854775808'],
        ["a fraction keeps its mark", '"n":1.0', '"n":1.0'],
        ["a fraction with needless digits", '"n":1.50', '"n":1.5'],
        ["an exponent", '"n":1E+21', '"n":1e21'],
        ["a large number with a point", '"n":1000000000000000000000.0', '"n":1e21'],
        ["an exponent for what is small", '"n":0.001e3', '"n":1.0'],
        ["a member that is null does not count", '"n":null', ""],
        ["not even deeper", '"n":{"a":null,"b":[null]}', '"n":{"b":[null]}'],
        ["an element that is null does", '"n":[null,1]', '"n":[null,1]'],
        ["of equal keys the last", '"n":1,"n":2', '"n":2'],
        ["of equal keys the last, also when it is null", '"n":1,"n":null', ""],
        ["escapes", '"n":"\\u00e4\\/\\u0041"', '"n":"ä/A"'],
        [
          "keys by code point",
          '"n":{"\\ud83d\\ude00":1,"\\uff5e":2,"b":3,"B":4,"":5}',
          '"n":{"":5,"B":4,"b":3,"～":2,"😀":1}',
        ],
        ["white space", ' "n" : [ 1 , 2 ]\n', '"n":[1,2]'],
      ];
      test.each(cases)("%s", async (_, sent, canonical) => {
        const { client } = service();
        const { authorization, challengeToken } = await solved(
          client,
          "retrieve",
          (await userWithBackup(client)).main,
        );
        const { kind, publicKey, signature } = authorization;
        const proof = JSON.stringify({ kind, publicKey, signature });
        const rest = canonical === "" ? "" : `,${canonical}`;
        const canonicalBody = `{"authorization":${proof},"challengeToken":"${challengeToken}"${rest}}`;
        const body = `{${sent},"challengeToken":"${challengeToken}","authorization":${proof}}`;
        const token = tokenOf(RETRIEVE, "{}", { claims: { jti: jtiOf(canonicalBody) } });
        const answer = await send(RETRIEVE, body, token);
        expect([answer.status, answer.body]).toEqual([
          200,
          expect.objectContaining({ syncFactorToken: expect.any(String) }),
        ]);
      });

      test("the last of equal keys is also what is acted upon", async () => {
        const { client } = service();
        const request = await solved(client, "retrieve", (await userWithBackup(client)).main);
        const body = `{"challengeToken":"x",${JSON.stringify(request).slice(1)}`;
        expect((await send(RETRIEVE, body, tokenOf(RETRIEVE, JSON.stringify(request)))).status).toBe(200);
      });
    });

    test("takes bodies of 1 MiB and no more, whatever attests them", async () => {
      const { client } = service();
      for (const [path, valid] of ROUTES) {
        const text = JSON.stringify(await valid(client));
        const padded = (bytes: number) =>
          `${text.slice(0, -1)},"x":"${"x".repeat(bytes - text.length - 7)}"}`;
        const over = padded(MIB + 1);
        expect(Buffer.byteLength(over)).toBe(MIB + 1);
        const refused = await send(path, over, tokenOf(path, over));
        expect([refused.status, refused.code()]).toEqual([413, "content_too_large"]);
        const most = padded(MIB);
        expect((await send(path, most, tokenOf(path, most))).status).toBe(200);
      }
      const large = JSON.stringify({ x: "x".repeat(MIB) });
      expect((await send("/v1/retrieve-metadata", large, null)).status).toBe(422);
    });

    test("is answered with 503 while the gateway's keys cannot be fetched, and accepted afterwards", async () => {
      const { client, clock } = service();
      clock.advance(60 * 60 * 1000);
      const body = JSON.stringify(await solved(client, "retrieve", (await userWithBackup(client)).main));
      for (const mode of ["down", "garbage"] as const) {
        gateway.jwks.mode = mode;
        const answer = await send(RETRIEVE, body, tokenOf(RETRIEVE, body));
        expect([answer.status, answer.code(), answer.headers.get("retry-after")]).toEqual([
          503,
          "service_unavailable",
          "1",
        ]);
        expect((await send(RETRIEVE, body, null)).code()).toBe(HEADER);
      }
      gateway.jwks.mode = "up";
      expect((await send(RETRIEVE, body, tokenOf(RETRIEVE, body))).status).toBe(200);
    });

    test("accepts a key that the gateway has just published", async () => {
      const { client, clock } = service();
      clock.advance(31_000);
      gateway.jwks.rotate();
      const body = JSON.stringify(await solved(client, "retrieve", (await userWithBackup(client)).main));
      expect((await send(RETRIEVE, body, tokenOf(RETRIEVE, body))).status).toBe(200);
    });
  });

  describe(`attestation with other names and a bypass token (${driver.name})`, () => {
    const { service, send, tokenOf } = attestedService({
      ATTESTATION_ISSUER: "issuer.example",
      ATTESTATION_AUDIENCE: "audience.example",
      ATTESTATION_GATEWAY_BYPASS_TOKEN: BYPASS,
    });
    const body = async () =>
      JSON.stringify(
        await solved(service().client, "verify-factor", (await userWithBackup(service().client)).main),
      );
    const path = "/v1/verify-factor";

    test("takes the names that are configured, and no others", async () => {
      const sent = await body();
      const claims = { iss: "issuer.example", aud: "audience.example" };
      expect((await send(path, sent, tokenOf(path, sent))).code()).toBe(TOKEN);
      expect((await send(path, sent, tokenOf(path, sent, { claims: { iss: claims.iss } }))).code()).toBe(
        CLAIM,
      );
      expect((await send(path, sent, tokenOf(path, sent, { claims }))).status).toBe(200);
    });

    test("takes exactly the bypass token, on every route", async () => {
      for (const [route, valid] of ROUTES) {
        const sent = JSON.stringify(await valid(service().client));
        for (const token of [BYPASS.toUpperCase(), BYPASS.slice(1), `${BYPASS}!`, `${BYPASS}, ${BYPASS}`])
          expect((await send(route, sent, token)).code()).toBe(TOKEN);
        expect((await send(route, sent, BYPASS)).status).toBe(200);
      }
    });
  });

  describe(`attestation that is reported (${driver.name})`, () => {
    const { gateway, service, send, tokenOf } = attestedService({ ATTESTATION: "report" });
    const failure = "attestation-failure";

    test.each(ROUTES)("%s accepts a request with any failure and reports it", async (path, valid) => {
      const { client } = service();
      const expectReported = async (token: (body: string) => string | null, words: RegExp) => {
        const body = JSON.stringify(await valid(client));
        const answer = await send(path, body, token(body));
        expect([answer.status, answer.headers.get(failure)]).toEqual([200, expect.stringMatching(words)]);
      };
      await expectReported(() => null, /header/);
      await expectReported(() => "garbage", /signed/);
      await expectReported((body) => tokenOf(path, body, { claims: { jti: "x" } }), /jti/);
      await expectReported((body) => tokenOf(path, body, { claims: { pass: false } }), /pass/);
      const body = JSON.stringify(await valid(client));
      const good = await send(path, body, tokenOf(path, body));
      expect([good.status, good.headers.get(failure)]).toEqual([200, null]);
    });

    test("is reported also in an error response", async () => {
      const answer = await send(RETRIEVE, "{}", null);
      expect([answer.status, answer.headers.get(failure)]).toEqual([422, expect.stringMatching(/header/)]);
      expect((await send(RETRIEVE, "{", "garbage")).code()).toBe("invalid_payload");
    });

    test("accepts requests while the gateway cannot be reached", async () => {
      const { client, clock } = service();
      clock.advance(60 * 60 * 1000);
      gateway.jwks.mode = "down";
      const body = JSON.stringify(await solved(client, "retrieve", (await userWithBackup(client)).main));
      const answer = await send(RETRIEVE, body, tokenOf(RETRIEVE, body));
      gateway.jwks.mode = "up";
      expect([answer.status, answer.headers.get(failure)]).toEqual([
        200,
        expect.stringMatching(/cannot be fetched/),
      ]);
    });

    test("says nothing on other routes", async () => {
      const { client } = service();
      const user = await userWithBackup(client);
      await addedSyncFactor(client, user);
      const answer = await client.retrieveMetadata(await solved(client, "retrieve-metadata", user.sync));
      expect([answer.status, answer.headers.get(failure)]).toEqual([200, null]);
    });
  });

  describe(`attestation that is off (${driver.name})`, () => {
    const { gateway, service, send } = attestedService({ ATTESTATION: "off" });

    test.each(ROUTES)("%s ignores the header", async (path, valid) => {
      for (const token of [null, "garbage"]) {
        const answer = await send(path, JSON.stringify(await valid(service().client)), token);
        expect([answer.status, answer.headers.get("attestation-failure")]).toEqual([200, null]);
      }
      expect(gateway.jwks.requests).toBe(0);
    });
  });
}
