/** What the client sends, how often, and what it makes of responses. */
import { describe, expect, test } from "bun:test";
import { accountKey } from "../../src/client/account-key.ts";
import * as sdk from "../../src/client/index.ts";
import { multipart } from "../../src/client/transport/multipart.ts";
import { challengePath, paths } from "../../src/protocol/paths.ts";
import { faultyTransport, refusal, response } from "../support/faulty-transport.ts";

const { createBackupClient, keypair, RefusedError } = sdk;
const STATUS = response(200, { backupId: "b", factors: [] });
const KEY = { kind: "ICLOUD", encryptedKey: "e" } as const;
const URL_OF_NOTHING = "http://backup.example";
const lost = () => {
  throw new TypeError("no network");
};

/** A client of nothing: every response is one of a test's. */
function scripted(
  responses: readonly (sdk.HttpResponse | (() => never))[],
  options: Partial<sdk.BackupClientOptions> = {},
) {
  const requests: sdk.HttpRequest[] = [];
  const pauses: number[] = [];
  const left = [...responses];
  const transport: sdk.Transport = async (request) => {
    requests.push(request);
    const next = left.shift() ?? STATUS;
    return typeof next === "function" ? next() : next;
  };
  const retries = { pause: async (ms: number) => void pauses.push(ms) };
  return {
    client: createBackupClient({
      url: URL_OF_NOTHING,
      transport,
      ...options,
      retries: { ...retries, ...options.retries },
    }),
    requests,
    pauses,
  };
}

describe("a request that changes nothing", () => {
  test.each([
    ["a lost connection", lost],
    ["503", refusal(503, "service_unavailable")],
    ["500", refusal(500, "internal_server_error")],
    ["408", refusal(408, "request_timeout")],
    ["429", refusal(429, "too_many_requests")],
    ["the page of a proxy", response(502, "<html>")],
  ])("is sent again after %s, with growing pauses", async (_, fault) => {
    const { client, requests, pauses } = scripted([fault, fault]);
    expect(await client.status("b")).toEqual({ backupId: "b", factors: [] });
    expect(requests).toHaveLength(3);
    const [first = 0, second = 0] = pauses;
    expect(first).toBeWithin(250, 501);
    expect(second).toBeWithin(1_000, 2_001);
  });

  test.each([400, 404, 412, 413, 423])("is not sent again after %p", async (status) => {
    const { client, requests } = scripted([refusal(status, "x")]);
    await expect(client.status("b")).rejects.toMatchObject({ status });
    expect(requests).toHaveLength(1);
  });

  test("waits as long as the service asks", async () => {
    const { client, pauses } = scripted([refusal(429, "too_many_requests", { "retry-after": "7" })]);
    await client.status("b");
    expect(pauses).toEqual([7_000]);
  });

  test("leaves a pause to the app that is longer than it takes", async () => {
    const { client, requests } = scripted([refusal(429, "too_many_requests", { "retry-after": "3600" })]);
    await expect(client.status("b")).rejects.toMatchObject({
      name: "TooManyRequestsError",
      retryAfterMs: 3_600_000,
    });
    expect(requests).toHaveLength(1);
  });

  test("is sent as often as the app wants", async () => {
    const { client, requests } = scripted([lost], { retries: { attempts: 1 } });
    await expect(client.status("b")).rejects.toBeInstanceOf(sdk.ConnectionError);
    expect(requests).toHaveLength(1);
  });

  test("names the app, and the paths are below that of the URL", async () => {
    const app = { name: "an app", version: "2.1" };
    const { client, requests } = scripted([], {
      app,
      url: `${URL_OF_NOTHING}/backups/`,
      headers: { a: "b" },
    });
    await client.status("b");
    expect(requests[0]).toMatchObject({
      url: `${URL_OF_NOTHING}/backups${paths.backupStatus}`,
      headers: {
        "client-name": "an app",
        "client-version": "2.1",
        a: "b",
        "content-type": "application/json",
      },
      body: '{"backupId":"b"}',
    });
  });
});

test.each(["备份", "a\nb: c", "a\0"])(
  "a client named %j is refused, as no request could carry it",
  (name) => {
    const wrong = "the header client-name has characters that HTTP does not carry";
    expect(() => scripted([], { app: { name, version: "1" } })).toThrow(wrong);
    expect(() => scripted([], { headers: { "client-name": name } })).toThrow(wrong);
  },
);

describe("a call", () => {
  test("ends with its signal, also during a pause", async () => {
    const controller = new AbortController();
    const reason = new Error("the user left");
    const { client } = scripted([lost], {
      retries: {
        async pause(_ms, signal) {
          controller.abort(reason);
          signal?.throwIfAborted();
        },
      },
    });
    await expect(client.status("b", { signal: controller.signal })).rejects.toBe(reason);
    await expect(client.status("b", { signal: controller.signal })).rejects.toBe(reason);
  });

  test("by default pauses by the system's clock, which a signal ends", async () => {
    const { transport, fail } = faultyTransport(async () => STATUS);
    fail(paths.backupStatus, "never arrives");
    const controller = new AbortController();
    const call = createBackupClient({ url: URL_OF_NOTHING, transport }).status("b", controller);
    controller.abort();
    await expect(call).rejects.toMatchObject({ name: "AbortError" });
  });

  test.each([Number.POSITIVE_INFINITY, 2 ** 31])("may take %p ms", async (timeoutMs) => {
    const { transport, fail, sent } = faultyTransport(async ({ signal }) => {
      await Bun.sleep(5); // a timer that overflows ends after 1 ms
      signal.throwIfAborted();
      return STATUS;
    });
    fail(paths.backupStatus, refusal(429, "too_many_requests", { "retry-after": "99999999999" }));
    const controller = new AbortController();
    const client = createBackupClient({
      url: URL_OF_NOTHING,
      transport,
      retries: { maxPauseMs: Number.POSITIVE_INFINITY },
    });
    const pausing = client.status("b", controller);
    expect(await client.status("b", { timeoutMs })).toEqual({ backupId: "b", factors: [] });
    expect(sent).toHaveLength(2); // the first one still pauses
    controller.abort();
    await expect(pausing).rejects.toMatchObject({ name: "AbortError" });
  });

  test("ends with what the app throws while it observes the progress", async () => {
    const fault = new Error("a fault of the app");
    const throwing = () => {
      throw fault;
    };
    for (const isIgnored of [false, true]) {
      let requests = 0;
      const transport: sdk.Transport = async ({ url, signal, onUpload, onDownload }) => {
        if (url.includes("/challenge/")) return response(200, { challenge: "AAAA", token: "t" });
        requests++;
        onUpload?.({ loadedBytes: 1, totalBytes: 1 });
        onDownload?.({ loadedBytes: 1, totalBytes: 1 });
        if (!isIgnored) signal.throwIfAborted();
        return response(200, { backupId: "b", backup: "AA==", metadata: {}, syncFactorToken: "t" });
      };
      const client = createBackupClient({ url: URL_OF_NOTHING, transport });
      const key = await keypair();
      await expect(client.recover(key, { onDownload: throwing })).rejects.toBe(fault);
      const update = { content: Uint8Array.of(1), currentManifestHash: "00".repeat(32) };
      await expect(client.sync(key, update, { onUpload: throwing })).rejects.toBe(fault);
      expect(requests).toBe(2);
    }
  });

  test("has a time limit for each request, and aborts it", async () => {
    let aborted = false;
    const transport: sdk.Transport = ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          aborted = true;
          reject(signal.reason);
        });
      });
    const call = createBackupClient({ url: URL_OF_NOTHING, transport, retries: { attempts: 1 } });
    await expect(call.status("b", { timeoutMs: 1 })).rejects.toBeInstanceOf(sdk.TimeoutError);
    expect(aborted).toBe(true);
  });
});

describe("a refusal", () => {
  test("is an error with all that the service said of it", async () => {
    const body = { allowRetry: true, error: { code: "conflicting_lock", message: "somebody was faster" } };
    const headers = { "x-request-id": "r1" };
    const { client } = scripted([response(423, body, headers)]);
    const error: unknown = await client.status("b").catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(RefusedError);
    expect(error).toMatchObject({
      name: "ConflictingLockError",
      message: "conflicting_lock: somebody was faster",
      code: "conflicting_lock",
      status: 423,
      allowRetry: true,
      retryAfterMs: null,
      requestId: "r1",
    });
  });

  test("with a code that the client does not know has its code", async () => {
    const { client } = scripted([refusal(400, "of_the_future")]);
    await expect(client.status("b")).rejects.toMatchObject({ name: "RefusedError", code: "of_the_future" });
  });

  test.each([
    [413, "content_too_large"],
    [429, "too_many_requests"],
    [504, "service_unavailable"],
    [302, "unexpected_response"],
    [200, "unexpected_response"],
  ])("of a proxy with status %p is %s", async (status, code) => {
    const { client } = scripted([response(status, "<html>")], { retries: { attempts: 1 } });
    await expect(client.status("b")).rejects.toMatchObject({ status, code });
  });

  test("has a name that minifying keeps", () => {
    for (const [name, type] of Object.entries(sdk))
      if (typeof type === "function" && type.prototype instanceof sdk.BackupClientError) {
        const error: Error = Reflect.construct(type, [{ code: "c", message: "m" }]);
        expect(error.name).toBe(name);
      }
  });
});

describe("an upload", () => {
  test.each<[string, unknown]>([
    ["a text", "hello"],
    ["an array of numbers", [1, 2, 3]],
    ["an ArrayBuffer", new ArrayBuffer(3)],
    ["larger numbers", Uint16Array.of(500)],
    ["nothing", undefined],
  ])("of %s is refused before anything is sent", async (_, content) => {
    const { client, requests } = scripted([]);
    const main = await keypair();
    const refused = { name: "TypeError", message: "the content is no Uint8Array" };
    const creation = { main, sync: main, account: accountKey(), encryptionKey: KEY, content };
    // as JavaScript allows
    await expect(Reflect.apply(client.create, client, [creation])).rejects.toMatchObject(refused);
    const update = { content, currentManifestHash: "00".repeat(32) };
    await expect(Reflect.apply(client.sync, client, [main, update])).rejects.toMatchObject(refused);
    expect(requests).toEqual([]);
  });

  test.each([0, 15 * 1024 * 1024 + 1])("of %i bytes is refused before anything is sent", async (bytes) => {
    const { client, requests } = scripted([]);
    const main = await keypair();
    const content = new Uint8Array(bytes);
    const refused = { name: "RangeError", message: expect.stringContaining(`${bytes} bytes`) };
    const creation = { main, sync: main, account: accountKey(), encryptionKey: KEY, content };
    await expect(client.create(creation)).rejects.toMatchObject(refused);
    const update = { content, currentManifestHash: "00".repeat(32) };
    await expect(client.sync(main, update)).rejects.toMatchObject(refused);
    expect(requests).toEqual([]);
  });

  test("is the same each time that it is sent", async () => {
    const challenge = { challenge: "AAAA", token: "t" };
    const { client, requests } = scripted([
      response(200, challenge),
      response(200, challenge),
      refusal(429, "too_many_requests"),
      response(200, { backupId: "b", backupMetadata: {} }),
    ]);
    await client.create({
      main: await keypair(),
      sync: await keypair(),
      account: accountKey(),
      content: Uint8Array.of(1, 2, 3),
      encryptionKey: KEY,
    });
    const [first, second] = requests.filter(({ url }) => url.endsWith(paths.create));
    expect(first?.body).toEqual(second?.body ?? "");
    expect(first?.headers).toEqual(second?.headers ?? {});
    expect(requests[0]?.url).toEndWith(challengePath("create", "keypair"));
  });

  test("is a form that any parser reads, whatever its bytes are", async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    const { contentType, body } = multipart('{"é":"\\r\\n--"}', bytes);
    const form = await new Response(body, { headers: { "content-type": contentType } }).formData();
    const backup = form.get("backup");
    if (!(backup instanceof Blob)) throw new Error("the backup is no file");
    expect(form.get("payload")).toBe('{"é":"\\r\\n--"}');
    expect(await backup.bytes()).toEqual(bytes);
  });
});
