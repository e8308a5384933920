/** How requests go over the wire: by `fetch`, and by `XMLHttpRequest` where the platform has it. */
import { afterEach, describe, expect, test } from "bun:test";
import type { HttpRequest, Progress } from "../../src/client/index.ts";
import { fetchTransport } from "../../src/client/transport/fetch.ts";
import { xhrTransport } from "../../src/client/transport/xhr.ts";

const never = new AbortController().signal;

function request(url: string, more: Partial<HttpRequest> = {}): HttpRequest {
  return {
    url,
    method: "POST",
    headers: { "x-a": "b" },
    body: new Uint8Array(200_000),
    signal: never,
    ...more,
  };
}

/** A server that responds with what it got, and its length where that is asked for. */
function startEcho(headers: Readonly<Record<string, string>> = {}) {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(got) {
      const body = await got.bytes();
      return new Response(`${got.headers.get("x-a")} ${body.length} é`.padEnd(100_000), {
        status: 201,
        headers: { "x-request-id": "r", ...headers },
      });
    },
  });
  return { url: server.url.href, [Symbol.asyncDispose]: () => server.stop(true) };
}

describe("by fetch", () => {
  test("a request has its response, with the progress of both", async () => {
    await using echo = startEcho();
    const [uploads, downloads]: [Progress[], Progress[]] = [[], []];
    const response = await fetchTransport(
      request(echo.url, { onUpload: (at) => uploads.push(at), onDownload: (at) => downloads.push(at) }),
    );
    expect([response.status, response.header("x-request-id"), response.header("x-b")]).toEqual([
      201,
      "r",
      null,
    ]);
    expect(response.text.trimEnd()).toBe("b 200000 é");
    const totalBytes = 200_000;
    expect(uploads).toEqual(
      [65_536, 131_072, 196_608, 200_000].map((loadedBytes) => ({ loadedBytes, totalBytes })),
    );
    expect(downloads.at(-1)).toEqual({ loadedBytes: 100_001, totalBytes: 100_001 });
  });

  test("a redirection is the response: no other server gets the request", async () => {
    const got: string[] = [];
    const other = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: ({ method }) => new Response(String(got.push(method))),
    });
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => new Response(null, { status: 307, headers: { location: other.url.href } }),
    });
    try {
      const response = await fetchTransport(request(server.url.href, { body: "a proof" }));
      expect(response.status).toBe(307);
      expect(got).toEqual([]);
    } finally {
      await Promise.all([server.stop(true), other.stop(true)]);
    }
  });

  test("the total of a compressed download is not known", async () => {
    const bytes = Bun.gzipSync(new TextEncoder().encode("a".repeat(100_000)));
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => new Response(bytes, { headers: { "content-encoding": "gzip" } }),
    });
    const downloads: Progress[] = [];
    await fetchTransport(request(server.url.href, { onDownload: (at) => downloads.push(at) }));
    expect(downloads.at(-1)).toEqual({ loadedBytes: 100_000, totalBytes: null });
    await server.stop(true);
  });
});

/** As much of `XMLHttpRequest` as is used. The test says what becomes of the request. */
class FakeXhr {
  static last: FakeXhr | null = null;
  readonly upload: { onprogress?: (event: object) => void } = {};
  readonly sent: unknown[] = [];
  status = 0;
  responseText = "";
  onprogress?: (event: object) => void;
  onload?: () => void;
  onerror?: () => void;
  onabort?: () => void;

  constructor() {
    FakeXhr.last = this;
  }
  open(...parameters: unknown[]) {
    this.sent.push(...parameters);
  }
  setRequestHeader(...parameters: unknown[]) {
    this.sent.push(...parameters);
  }
  getResponseHeader(name: string) {
    return name === "retry-after" ? "3" : null;
  }
  send(body: unknown) {
    this.sent.push(body);
  }
  abort() {
    this.onabort?.();
  }
}

describe("by XMLHttpRequest", () => {
  afterEach(() => {
    Reflect.deleteProperty(globalThis, "XMLHttpRequest");
    FakeXhr.last = null;
  });

  function started(more: Partial<HttpRequest> = {}) {
    Reflect.set(globalThis, "XMLHttpRequest", FakeXhr);
    const response = xhrTransport()?.(request("http://backup.example/", { body: "text", ...more }));
    if (response === undefined || FakeXhr.last === null) throw new Error("there is no request");
    return { response, xhr: FakeXhr.last };
  }

  test("is there where the platform has it", () => {
    expect(xhrTransport()).toBeNull();
  });

  test("a request has its response, with the progress of both", async () => {
    const seen: Progress[] = [];
    const { response, xhr } = started({ onUpload: (at) => seen.push(at), onDownload: (at) => seen.push(at) });
    expect(xhr.sent).toEqual(["POST", "http://backup.example/", "x-a", "b", "text"]);
    xhr.upload.onprogress?.({ loaded: 1, total: 4, lengthComputable: true });
    xhr.onprogress?.({ loaded: 2, total: 0, lengthComputable: false });
    Object.assign(xhr, { status: 429, responseText: "{}" }).onload?.();
    const { status, text, header } = await response;
    expect([status, text, header("retry-after"), header("x")]).toEqual([429, "{}", "3", null]);
    expect(seen).toEqual([
      { loadedBytes: 1, totalBytes: 4 },
      { loadedBytes: 2, totalBytes: null },
    ]);
  });

  test("a request without a response rejects", async () => {
    const { response, xhr } = started();
    xhr.onerror?.();
    await expect(response).rejects.toBeInstanceOf(TypeError);
  });

  test("a signal aborts it, also before it is sent", async () => {
    const controller = new AbortController();
    const { response } = started({ signal: controller.signal });
    controller.abort();
    await expect(response).rejects.toBeInstanceOf(TypeError);
    const late = started({ signal: controller.signal });
    await expect(late.response).rejects.toBeInstanceOf(TypeError);
    expect(late.xhr.sent).not.toContain("text");
  });
});
