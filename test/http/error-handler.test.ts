import { describe, expect, test } from "bun:test";
import { StorageUnavailable } from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import { openConnection } from "../support/raw-http.ts";
import { startService } from "../support/service.ts";
import { sharedService } from "../support/shared-service.ts";
import { replaced } from "../support/store-wrappers.ts";
import { newUser, solved, userWithBackup } from "../support/users.ts";

const JSON_TYPE = { "content-type": "application/json" };
const CHALLENGE = "/v1/retrieve/challenge/keypair";
async function envelopeOf(response: Response) {
  const body = (await response.json()) as { allowRetry: boolean; error: { code: string; message: string } };
  expect(Object.keys(body).toSorted()).toEqual(["allowRetry", "error"]);
  expect(Object.keys(body.error).toSorted()).toEqual(["code", "message"]);
  expect(response.headers.get("content-type")).toBe("application/json");
  expect(response.headers.get("x-request-id")).toMatch(/^[A-Za-z0-9._-]{1,128}$/);
  expect(body.error.message).not.toBe("");
  return { status: response.status, allowRetry: body.allowRetry, ...body.error };
}

for (const driver of DRIVERS)
  describe(`every error answer (${driver.name})`, () => {
    const service = sharedService(driver);

    describe("has the one shape", () => {
      const post = (body: string | Uint8Array, headers: Record<string, string> = JSON_TYPE) => ({
        method: "POST",
        body,
        headers,
      });
      const cases: readonly (readonly [
        name: string,
        path: string,
        init: RequestInit,
        status: number,
        code: string,
      ])[] = [
        ["for a path that is none", "/nowhere", {}, 404, "not_found"],
        ["for a path below a route", `${CHALLENGE}/more`, post("{}"), 404, "not_found"],
        ["for a path in capitals", CHALLENGE.toUpperCase(), post("{}"), 404, "not_found"],
        ["for a path with odd escapes", "/%00%ff%zz", {}, 404, "not_found"],
        ["for a path that climbs", "/docs/..%2f..%2fpackage.json", {}, 404, "not_found"],
        ["for an asset that is none", "/docs/package.json", {}, 404, "not_found"],
        ["for a wrong method", CHALLENGE, {}, 405, "method_not_allowed"],
        ["for another wrong method", "/v1/create", { method: "DELETE" }, 405, "method_not_allowed"],
        ["for a wrong method on a route to read", "/health", post("{}"), 405, "method_not_allowed"],
        ["for JSON that is none", CHALLENGE, post("{"), 400, "invalid_payload"],
        ["for JSON that ends early", CHALLENGE, post('{"a":'), 400, "invalid_payload"],
        ["for JSON with a comment", CHALLENGE, post("{} // no"), 400, "invalid_payload"],
        ["for two JSON texts", CHALLENGE, post("{}{}"), 400, "invalid_payload"],
        ["for an empty body", CHALLENGE, post(""), 400, "invalid_payload"],
        [
          "for a body that is not UTF-8",
          CHALLENGE,
          post(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d])),
          400,
          "invalid_payload",
        ],
        ["for a body in UTF-16", CHALLENGE, post(Buffer.from("{}", "utf16le")), 400, "invalid_payload"],
        [
          "for another content-type",
          CHALLENGE,
          post("{}", { "content-type": "text/plain" }),
          415,
          "unsupported_media_type",
        ],
        [
          "for a content-type of forms",
          CHALLENGE,
          post("a=1", { "content-type": "application/x-www-form-urlencoded" }),
          415,
          "unsupported_media_type",
        ],
        [
          "for a content-type that begins like JSON",
          CHALLENGE,
          post("{}", { "content-type": "application/jsonp" }),
          415,
          "unsupported_media_type",
        ],
        [
          "for a content-type before a body that is none",
          CHALLENGE,
          post("{", { "content-type": "text/json" }),
          415,
          "unsupported_media_type",
        ],
        ["for JSON of another shape", "/v1/backup/status", post("{}"), 422, "invalid_payload"],
        ["for a body that is no upload", "/v1/create", post("{}"), 400, "multipart_error"],
        ["for what a handler refuses", "/v1/backup/status", post('{"backupId":"x"}'), 404, "not_found"],
      ];
      for (const [name, path, init, status, code] of cases)
        test(name, async () => {
          const answer = await envelopeOf(await fetch(service().url + path, init));
          expect(answer).toMatchObject({ status, code, allowRetry: false });
        });

      test("for a missing content-type", async () => {
        using connection = await openConnection(service().url);
        await connection.write(
          `POST ${CHALLENGE} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{}`,
        );
        const { status, headers, body } = await connection.answer();
        expect([status, JSON.parse(body).error.code]).toEqual([415, "unsupported_media_type"]);
        expect(headers.get("content-type")).toBe("application/json");
        expect(headers.has("x-request-id")).toBe(true);
      });
    });

    for (const type of [
      "application/json",
      "application/json;charset=UTF-8",
      "Application/JSON",
      "application/vnd.api+json",
    ])
      test(`none is for the content-type ${type}`, async () => {
        const init = { method: "POST", body: "{}", headers: { "content-type": type } };
        expect((await fetch(service().url + CHALLENGE, init)).status).toBe(200);
      });

    test("for a wrong method says which are right", async () => {
      const { url } = service();
      for (const [path, method, allow] of [
        ["/v1/create", "GET", "POST"],
        ["/v1/sync", "PUT", "POST"],
        ["/health", "DELETE", "GET"],
      ] as const)
        expect((await fetch(url + path, { method })).headers.get("allow")).toBe(allow);
      expect((await fetch(`${url}/nowhere`)).headers.has("allow")).toBe(false);
    });

    test("never echoes more than 50 characters of what was sent", async () => {
      const { url } = service();
      const marker = "0123456789".repeat(6);
      for (const body of [
        { backupId: [marker] },
        { [marker]: marker },
        { authorization: { kind: marker }, challengeToken: marker, scope: marker, factorId: 1 },
      ])
        for (const path of ["/v1/backup/status", "/v1/delete-factor", "/v1/verify-factor", `/v1/${marker}`]) {
          const init = { method: "POST", body: JSON.stringify(body), headers: JSON_TYPE };
          expect(await (await fetch(url + path, init)).text()).not.toContain(marker.slice(0, 51));
        }
    });

    test("is never a crash for JSON nested a hundred thousand deep", async () => {
      const { url, client } = service();
      const depth = 100_000;
      const deep = `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
      const proof = await solved(client, "verify-factor", newUser().main);
      const bodies = [
        deep,
        `${"[".repeat(depth)}${"]".repeat(depth)}`,
        `{"authorization":{"kind":"PASSKEY","credential":${deep}},"challengeToken":"x"}`,
        `{"more":${deep},${JSON.stringify(proof).slice(1)}`,
      ];
      for (const body of bodies) {
        const answer = await envelopeOf(
          await fetch(`${url}/v1/verify-factor`, { method: "POST", body, headers: JSON_TYPE }),
        );
        expect(answer.status).toBeGreaterThanOrEqual(400);
        expect(answer.status).toBeLessThan(500);
      }
    });
  });

for (const driver of DRIVERS)
  describe(`a failing store (${driver.name})`, () => {
    test("that cannot be reached is 503, with the advice to try again", async () => {
      const outage = () => Promise.reject(new StorageUnavailable("no route to 10.0.0.7"));
      await using service = await startService(driver, {
        wrapStores: ({ records, blobs }) => ({
          records: replaced(records, { locate: outage, read: outage, commit: outage }),
          blobs,
        }),
      });
      const { client, url, logged } = service;
      const body = JSON.stringify(await solved(client, "verify-factor", newUser().main));
      const response = await fetch(`${url}/v1/verify-factor`, { method: "POST", body, headers: JSON_TYPE });
      expect(response.headers.get("retry-after")).toMatch(/^\d+$/);
      const answer = await envelopeOf(response);
      expect(answer).toMatchObject({ status: 503, code: "service_unavailable", allowRetry: true });
      expect(answer.message).not.toContain("10.0.0.7");
      expect(logged.filter((line) => line.includes("10.0.0.7"))).toHaveLength(1);
    });

    test("that crashes is 500 with nothing of the reason but in the log, under the request's id", async () => {
      const crash = () => Promise.reject(new TypeError("secret detail"));
      await using service = await startService(driver, {
        wrapStores: ({ records, blobs }) => ({ records: replaced(records, { read: crash }), blobs }),
      });
      const { url, logged } = service;
      const init = {
        method: "POST",
        body: JSON.stringify({ backupId: newUser().account.backupAccountId }),
        headers: { ...JSON_TYPE, "x-request-id": "crashed" },
      };
      const answer = await envelopeOf(await fetch(`${url}/v1/backup/status`, init));
      expect(answer).toMatchObject({ status: 500, code: "internal_server_error", allowRetry: false });
      expect(JSON.stringify(answer)).not.toContain("secret");
      const lines = logged.map((line): { requestId?: string; err?: { message: string } } => JSON.parse(line));
      const [line] = lines.filter(({ err }) => err?.message === "secret detail");
      expect(line?.requestId).toBe("crashed");
    });

    test("leaves nothing of a create behind when the records fail after the content was written", async () => {
      let failing = true;
      await using service = await startService(driver, {
        wrapStores: ({ records, blobs }) => ({
          records: replaced(records, {
            commit: (change) =>
              failing ? Promise.reject(new StorageUnavailable("down")) : records.commit(change),
          }),
          blobs,
        }),
      });
      const { client, services } = service;
      const user = newUser();
      await expect(userWithBackup(client, user)).rejects.toThrow("service_unavailable");
      expect(await services.records.read(user.account.backupAccountId)).toBeNull();
      failing = false;
      await userWithBackup(client, user);
      expect((await client.backupStatus({ backupId: user.account.backupAccountId })).status).toBe(200);
    });
  });
