import { describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createPost, type Outcome } from "../../src/webhooks/post.ts";
import { createCertificate } from "../support/certificate.ts";
import { freePorts } from "../support/free-port.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { startRawReceiver, startReceiver } from "./receivers.ts";

const MESSAGE = { id: "e1", body: '{"type":"backup.recovered"}' };
const SECRETS = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
const running = new AbortController().signal;

function posted(url: string, timeoutMs?: number, stopping = running): Promise<Outcome> {
  return createPost({ url, secrets: SECRETS }, new SettableClock(), timeoutMs)(MESSAGE, stopping);
}

describe("a post", () => {
  test("is the body as JSON, with the headers of Standard Webhooks", async () => {
    await using receiver = startReceiver();
    expect(await posted(`${receiver.url}?key=1`)).toBe("delivered");
    expect(receiver.received).toEqual([
      {
        method: "POST",
        path: "/hook?key=1",
        body: MESSAGE.body,
        headers: expect.objectContaining({
          "content-type": "application/json",
          "user-agent": expect.stringMatching(/^backup-service\/\d/),
          "webhook-id": "e1",
          "webhook-timestamp": "1768478400",
          "webhook-signature": expect.stringMatching(/^v1,[\w+/]{43}= v1,[\w+/]{43}=$/),
        }),
      },
    ]);
  });

  test.each([
    [200, "delivered"],
    [202, "delivered"],
    [204, "delivered"],
    [299, "delivered"],
    [304, "http_3xx"],
    [400, "http_4xx"],
    [401, "http_4xx"],
    [404, "http_4xx"],
    [410, "gone"],
    [429, "http_4xx"],
    [500, "http_5xx"],
    [503, "http_5xx"],
  ] as const)("to which the receiver responds with %d is %s", async (status, outcome) => {
    await using receiver = startReceiver(() => new Response(null, { status }));
    expect(await posted(receiver.url)).toBe(outcome);
  });

  test.each([301, 302, 303, 307, 308])("follows no redirect (%d)", async (status) => {
    await using target = startReceiver();
    await using receiver = startReceiver(
      () => new Response(null, { status, headers: { location: target.url } }),
    );
    expect(await posted(receiver.url)).toBe("http_3xx");
    expect(target.received).toEqual([]);
  });

  test("fails where nothing listens, or the name is unknown", async () => {
    expect(await posted(`http://127.0.0.1:${freePorts(1)[0]}`)).toBe("connection");
    // a label of more than 63 characters cannot be in the DNS: no server is asked for it
    expect(await posted(`http://${"x".repeat(64)}.invalid`)).toBe("dns");
  });

  test("fails where the receiver speaks no TLS, or shows a certificate that nobody has signed", async () => {
    const folder = await mkdtemp(join(tmpdir(), "backup-service-test-"));
    const { certificate, key } = await createCertificate(folder);
    await using plain = startReceiver();
    let requests = 0;
    const server = Bun.serve({
      port: 0,
      tls: { cert: Bun.file(certificate), key: Bun.file(key) },
      fetch() {
        requests++;
        return new Response();
      },
    });
    expect(await posted(plain.url.replace("http:", "https:"))).toBe("tls");
    expect(await posted(`https://localhost:${server.port}`)).toBe("tls");
    expect([requests, plain.received.length]).toEqual([0, 0]);
    await server.stop(true);
    await rm(folder, { recursive: true });
  });

  test("fails where the receiver closes the connection before or within the head of a response", async () => {
    for (const head of ["", "HTTP/1.1 200 OK\r\ncontent-le"]) {
      await using receiver = await startRawReceiver((socket) => void socket.end(head));
      expect(await posted(receiver.url)).toBe("connection");
    }
  });

  test("is delivered with the head of the response, and does not wait for the body", async () => {
    await using receiver = await startRawReceiver((socket) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc");
    });
    expect(await posted(receiver.url)).toBe("delivered");
  });

  test("has an outcome where the connection breaks within the body", async () => {
    await using receiver = await startRawReceiver((socket) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc", () => socket.destroy());
    });
    // the head may have been read by then, or not
    expect(["delivered", "connection"]).toContain(await posted(receiver.url));
  });

  test("does not wait for a response for longer than its time, nor for one that comes byte by byte", async () => {
    await using silent = await startRawReceiver(() => {});
    expect(await posted(silent.url, 50)).toBe("timeout");
    await using slow = await startRawReceiver((socket) => {
      const timer = setInterval(() => socket.write("H"), 10);
      socket.on("close", () => clearInterval(timer));
    });
    expect(await posted(slow.url, 50)).toBe("timeout");
  });

  test("reads no body: one without end is cut off", async () => {
    const closed = Promise.withResolvers<void>();
    let bytes = 0;
    await using receiver = await startRawReceiver((socket) => {
      const piece = Buffer.alloc(64 * 1024);
      const fill = () => {
        do bytes += piece.length;
        while (!socket.destroyed && socket.write(piece));
      };
      socket.on("close", () => closed.resolve());
      socket.on("drain", fill);
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      fill();
    });
    expect(await posted(receiver.url)).toBe("delivered");
    await closed.promise;
    expect(bytes).toBeLessThan(64 * 1024 * 1024);
  });

  test("is ended by the end of the process", async () => {
    const stopping = new AbortController();
    await using silent = await startRawReceiver(() => stopping.abort());
    expect(await posted(silent.url, undefined, stopping.signal)).toBe("ended");
    expect(await posted(silent.url, undefined, stopping.signal)).toBe("ended");
  });
});
