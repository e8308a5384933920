import { describe, expect, test } from "bun:test";
import { createApiClient } from "../../src/client/api-client.ts";
import { type Exchange, UnexpectedResponse } from "../../src/client/exchange.ts";
import {
  createChallenges,
  keypairChallenges,
  passkeyChallenges,
} from "../../src/protocol/challenge-operations.ts";
import type { WireOperation } from "../../src/protocol/operation.ts";
import { operations } from "../../src/protocol/operations.ts";

interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: unknown;
}

/** A server that gives one answer to everything and keeps what it receives. */
function startServer(answer: () => Response) {
  const received: Received[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const { method, headers } = request;
      const isForm = headers.get("content-type")?.startsWith("multipart/form-data") === true;
      const body = isForm ? Object.fromEntries(await request.formData()) : await request.text();
      received.push({ method, path: new URL(request.url).pathname, headers, body });
      return answer();
    },
  });
  return {
    url: server.url.origin,
    received,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

const refusal = (status: number, code: string) =>
  Response.json({ allowRetry: false, error: { code, message: "" } }, { status });

describe("the client", () => {
  for (const [name, operation] of Object.entries<WireOperation>(operations))
    test(`has a method for ${name}, which sends what the protocol says`, async () => {
      await using server = startServer(() => refusal(400, "x"));
      const client = createApiClient<object>({ url: server.url });
      const call: unknown = Reflect.get(client, name);
      if (typeof call !== "function") throw new Error(`${name} is no method`);
      await call(
        ...(operation.request === null ? [] : [{ a: 1 }, ...(operation.isUpload ? [Uint8Array.of(7)] : [])]),
      );
      const [request] = server.received;
      expect([request?.method, request?.path]).toEqual([operation.method, operation.path]);
      if (operation.isUpload) expect(request?.body).toEqual({ payload: '{"a":1}', backup: expect.any(Blob) });
      else expect(request?.body).toBe(operation.request === null ? "" : '{"a":1}');
    });

  test("takes each challenge where the protocol says", async () => {
    await using server = startServer(() => refusal(400, "x"));
    const client = createApiClient<object>({ url: server.url });
    await client.keypairChallenge("create");
    await client.keypairChallenge("delete-factor", { factorId: "f" });
    await client.passkeyChallenge("create", { name: "ada", displayName: "Ada", platform: "IOS" });
    await client.passkeyChallenge("retrieve");
    await client.passkeyChallenge("undelete", { backupId: "b" });
    expect(server.received.map(({ path, body }) => [path, body])).toEqual([
      [createChallenges.keypair.path, "{}"],
      [keypairChallenges["delete-factor"].path, '{"factorId":"f"}'],
      [createChallenges.passkey.path, '{"name":"ada","displayName":"Ada","platform":"IOS"}'],
      [passkeyChallenges.retrieve.path, "{}"],
      [passkeyChallenges.undelete.path, '{"backupId":"b"}'],
    ]);
  });

  test("is typed: the compiler refuses what the protocol does not describe", async () => {
    await using server = startServer(() => refusal(422, "invalid_payload"));
    const client = createApiClient({ url: server.url });
    const answers = [
      // @ts-expect-error: the challenge is bound to a factor
      await client.keypairChallenge("delete-factor"),
      // @ts-expect-error: to one that is named
      await client.keypairChallenge("delete-factor", { factorID: "f" }),
      // @ts-expect-error: a challenge to undelete is bound to a backup, whatever solves it
      await client.passkeyChallenge("undelete"),
      // @ts-expect-error: the same for a keypair
      await client.keypairChallenge("undelete", {}),
      // @ts-expect-error: a challenge to restore a version is bound to it
      await client.keypairChallenge("restore-version", { backupId: "b" }),
      // @ts-expect-error: an upload has a ciphertext
      await client.sync({ a: 1 }),
      // @ts-expect-error: a status is that of a backup
      await client.backupStatus({}),
    ];
    for (const answer of answers) expect(answer.code()).toBe("invalid_payload");
  });

  test("sends its headers with every request, and shows every exchange", async () => {
    await using server = startServer(() => refusal(404, "not_found"));
    const exchanges: Exchange[] = [];
    const headers = { "attestation-token": "t" };
    const client = createApiClient({ url: server.url, headers, onExchange: (seen) => exchanges.push(seen) });
    await client.backupStatus({ backupId: "b" });
    expect(server.received[0]?.headers.get("attestation-token")).toBe("t");
    expect(server.received[0]?.headers.get("content-type")).toBe("application/json");
    const { method, path } = operations.backupStatus;
    const response = { allowRetry: false, error: { code: "not_found", message: "" } };
    expect(exchanges).toEqual([{ method, path, request: { backupId: "b" }, status: 404, response }]);
  });
});

describe("an answer", () => {
  const answerTo = async (response: Response) => {
    await using server = startServer(() => response);
    const client = createApiClient<object>({ url: server.url });
    return { ready: await client.ready() };
  };

  test("of success is its documented body, and no error", async () => {
    const { ready } = await answerTo(Response.json({ status: "ok" }));
    expect(ready.ok()).toEqual({ status: "ok" });
    expect(() => ready.code()).toThrow(UnexpectedResponse);
  });

  test("of an error is its code, and no success", async () => {
    const { ready } = await answerTo(refusal(503, "service_unavailable"));
    expect(ready.code()).toBe("service_unavailable");
    expect(() => ready.ok()).toThrow(/GET \/ready responded with 503/);
  });

  for (const [name, response] of [
    ["of another shape", () => Response.json({ status: "well" })],
    ["with another status", () => Response.json({ status: "ok" }, { status: 201 })],
    ["that is no JSON", () => new Response("<html>")],
    ["that is empty", () => new Response(null, { status: 204 })],
  ] as const)
    test(`${name} is neither`, async () => {
      const { ready } = await answerTo(response());
      expect(() => ready.ok()).toThrow(UnexpectedResponse);
      expect(() => ready.code()).toThrow(UnexpectedResponse);
    });

  test("without a body is what the protocol says of some operations", async () => {
    await using server = startServer(() => new Response(null, { status: 204 }));
    const client = createApiClient<object>({ url: server.url });
    expect((await client.deleteBackup({})).ok()).toBeNull();
  });
});
