import { describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { createUnreadBodies } from "../../../src/http/body/unread-body.ts";
import { DRIVERS } from "../../drivers.ts";
import { multipartBody, multipartType, part } from "../../support/multipart-body.ts";
import { chunk, head, LAST_CHUNK, openConnection, type RawConnection } from "../../support/raw-http.ts";
import { startService } from "../../support/service.ts";
import { SettableClock } from "../../support/settable-clock.ts";
import { sharedService } from "../../support/shared-service.ts";
import { replaced } from "../../support/store-wrappers.ts";
import { createPayload, newUser, randomBytes } from "../../support/users.ts";

const MIB = 1024 * 1024;
const PIECE_BYTES = 64 * 1024;
const CLOSE = { connection: "close" };
const JSON_TYPE = { "content-type": "application/json" };
const CHALLENGE = "/v1/retrieve/challenge/keypair";

/** Writes all of a request before it reads anything, as many clients do, and returns all that comes until the end. */
async function writeThenRead(url: string, pieces: Iterable<string | Uint8Array>): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const received: Buffer[] = [];
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  socket.on("close", close);
  socket.on("error", () => {}); // each failed write reports one
  socket.pause();
  socket.on("data", (data) => received.push(Buffer.from(data)));
  socket.pause();
  try {
    for (const piece of pieces) await written(socket, piece);
    socket.resume();
    await closed;
    return Buffer.concat(received).toString();
  } finally {
    socket.destroy();
  }
}

function written(socket: Socket, bytes: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(bytes, (error) => {
      if (error == null) resolve();
      else reject(error);
    });
  });
}

/** So many bytes behind a head. */
function* declared(path: string, headers: Readonly<Record<string, string>>, bytes: number, method = "POST") {
  yield head(method, path, { ...CLOSE, ...headers, "content-length": bytes });
  for (let left = bytes; left > 0; left -= PIECE_BYTES) yield new Uint8Array(Math.min(left, PIECE_BYTES));
}

function* chunked(path: string, headers: Readonly<Record<string, string>>, bytes: number) {
  yield head("POST", path, { ...CLOSE, ...headers, "transfer-encoding": "chunked" });
  for (let sent = 0; sent < bytes; sent += PIECE_BYTES) yield chunk(new Uint8Array(PIECE_BYTES));
  yield LAST_CHUNK;
}

function* whole(path: string, headers: Readonly<Record<string, string>>, body: Uint8Array) {
  yield head("POST", path, { ...CLOSE, ...headers, "content-length": body.length });
  for (let at = 0; at < body.length; at += PIECE_BYTES) yield body.subarray(at, at + PIECE_BYTES);
}

const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
const codeOf = (answer: string) => /"code":"(\w+)"/.exec(answer)?.[1];

for (const driver of DRIVERS)
  describe(`an answer before the end of a body, on a connection that is to be closed (${driver.name})`, () => {
    const service = sharedService(driver);
    const UPLOAD = { "content-type": multipartType() };
    const broken = multipartBody([part("x", "", "", ["no header"]), part("backup", new Uint8Array(8 * MIB))]);
    const coded = { ...JSON_TYPE, "content-encoding": "gzip" };

    const cases: readonly (readonly [
      name: string,
      request: () => Iterable<string | Uint8Array>,
      status: number,
      code: string,
    ])[] = [
      ["of more than is accepted", () => declared(CHALLENGE, JSON_TYPE, 8 * MIB), 413, "content_too_large"],
      [
        "of an upload over the limit",
        () => declared("/v1/create", UPLOAD, 20 * MIB),
        413,
        "content_too_large",
      ],
      ["in chunks over the limit", () => chunked(CHALLENGE, JSON_TYPE, 8 * MIB), 413, "content_too_large"],
      ["that is broken", () => whole("/v1/create", UPLOAD, broken), 400, "multipart_error"],
      ["for a path that is none", () => declared("/nowhere", JSON_TYPE, 8 * MIB), 404, "not_found"],
      ["for a wrong method", () => declared(CHALLENGE, JSON_TYPE, 8 * MIB, "PUT"), 405, "method_not_allowed"],
      ["of another type", () => declared(CHALLENGE, {}, 8 * MIB), 415, "unsupported_media_type"],
      ["with a content-encoding", () => declared(CHALLENGE, coded, 8 * MIB), 415, "unsupported_media_type"],
      ["of a few bytes that are not read", () => declared("/nowhere", JSON_TYPE, 100), 404, "not_found"],
    ];
    for (const [name, request, status, code] of cases)
      test(`${name} reaches a client that reads only when it has written all`, async () => {
        const answer = await writeThenRead(service().url, request());
        expect([statusOf(answer), codeOf(answer)]).toEqual([status, code]);
        expect(answer).toMatch(/x-request-id: \S+/i);
      });

    test("over a rate limit reaches it too", async () => {
      const env = { RATE_LIMITS: "true", RATE_LIMIT_ADDRESS_CHALLENGES_PER_MINUTE: "1" };
      await using limited = await startService(driver, { env });
      await fetch(limited.url + CHALLENGE, { method: "POST", headers: JSON_TYPE, body: "{}" });
      const answer = await writeThenRead(limited.url, declared(CHALLENGE, JSON_TYPE, 8 * MIB));
      expect([statusOf(answer), codeOf(answer)]).toEqual([429, "too_many_requests"]);
      expect(answer).toMatch(/retry-after: \d+/i);
    });

    test("for lack of memory reaches it too", async () => {
      await using small = await startService(driver, {
        env: { MAX_IN_FLIGHT_UPLOAD_BYTES: String(17 * MIB) },
      });
      const { uploadBudget } = small.services;
      using other = uploadBudget.admit(
        { address: "", arrival: { stalledMs: 0 }, mayBeUnread: false, end: () => {} },
        0,
      );
      other.arrived(17 * MIB, 17 * MIB);
      const answer = await writeThenRead(small.url, declared("/v1/create", UPLOAD, 15 * MIB));
      expect([statusOf(answer), codeOf(answer)]).toEqual([503, "service_unavailable"]);
    });

    test("because a store does not respond reaches it too", async () => {
      const requestClock = new SettableClock();
      const { promise: putBegun, resolve } = Promise.withResolvers<void>();
      await using slow = await startService(driver, {
        requestClock,
        wrapStores: ({ records, blobs }) => ({
          records,
          blobs: replaced(blobs, { put: () => new Promise(() => resolve()) }),
        }),
      });
      void putBegun.then(() => requestClock.advance(6 * 60_000));
      const user = newUser(randomBytes(8 * MIB));
      const payload = JSON.stringify(await createPayload(slow.client, user));
      const body = multipartBody([part("payload", payload), part("backup", user.backup)]);
      const answer = await writeThenRead(slow.url, whole("/v1/create", UPLOAD, body));
      expect([statusOf(answer), codeOf(answer)]).toEqual([408, "request_timeout"]);
    });

    test("of a service that is about to end reaches a client that would keep the connection", async () => {
      await using ending = await startService(driver);
      ending.services.lifecycle.isEnding = true;
      const keep = { ...JSON_TYPE, connection: "keep-alive" };
      const answer = await writeThenRead(ending.url, declared("/nowhere", keep, 8 * MIB));
      expect([statusOf(answer), codeOf(answer)]).toEqual([404, "not_found"]);
      expect(answer).toMatch(/connection: close/i);
    });

    test("reaches the client before the rest of the body is sent", async () => {
      using connection = await openConnection(service().url);
      const headers = { ...CLOSE, ...JSON_TYPE, "content-length": 8 * MIB };
      await connection.write(head("POST", "/nowhere", headers));
      await connection.write(new Uint8Array(MIB));
      while (!connection.received().includes('"code":"not_found"')) await Bun.sleep(1);
      for (let sent = MIB; sent < 8 * MIB; sent += MIB) await connection.write(new Uint8Array(MIB));
      await connection.ended();
    });
  });

for (const driver of DRIVERS.slice(0, 1))
  describe("what is read of a body that is not used", () => {
    const endless = (url: string, connection = CLOSE) => {
      const sent = { bytes: 0 };
      const pieces = function* () {
        yield head("POST", "/nowhere", { ...connection, "transfer-encoding": "chunked" });
        for (;;) {
          yield chunk(new Uint8Array(PIECE_BYTES));
          sent.bytes += PIECE_BYTES;
        }
      };
      return writeThenRead(url, pieces()).catch(() => sent.bytes);
    };
    const LONG_MS = 600_000;
    const bytesPerSecond = Number.MAX_SAFE_INTEGER;

    test("is bounded in bytes", async () => {
      const discardLimits = { maxBytes: MIB, maxMs: LONG_MS, maxStalledMs: LONG_MS, bytesPerSecond };
      await using service = await startService(driver, { discardLimits });
      expect(await endless(service.url)).toBeGreaterThanOrEqual(MIB);
    });

    test("is bounded in bytes on a connection that its client would keep", async () => {
      const discardLimits = { maxBytes: MIB, maxMs: LONG_MS, maxStalledMs: LONG_MS, bytesPerSecond };
      await using service = await startService(driver, { discardLimits });
      const bytes = await endless(service.url, { connection: "keep-alive" });
      expect(bytes).toBeGreaterThanOrEqual(MIB);
      using declaring = await openConnection(service.url);
      await declaring.write(head("POST", "/nowhere", { "content-length": 1024 * MIB }));
      await declaring.write(new Uint8Array(MIB));
      await declaring.ended();
      expect(declaring.received()).toContain('"code":"not_found"');
    });

    test("is bounded in time", async () => {
      const discardLimits = {
        maxBytes: Number.MAX_SAFE_INTEGER,
        maxMs: 200,
        maxStalledMs: LONG_MS,
        bytesPerSecond,
      };
      await using service = await startService(driver, { discardLimits });
      await endless(service.url); // it ends
    });

    test("is waited for only so long", async () => {
      const discardLimits = {
        maxBytes: Number.MAX_SAFE_INTEGER,
        maxMs: LONG_MS,
        maxStalledMs: 100,
        bytesPerSecond,
      };
      await using service = await startService(driver, { discardLimits });
      using connection = await openConnection(service.url);
      await connection.write(head("POST", "/nowhere", { ...CLOSE, "content-length": MIB }));
      await connection.ended();
      expect(connection.received()).toContain('"code":"not_found"');
    });

    test("is of so many bodies at a time that one address leaves room for others", async () => {
      const discardLimits = { maxBytes: LONG_MS, maxMs: LONG_MS, maxStalledMs: LONG_MS, bytesPerSecond };
      await using service = await startService(driver, {
        discardLimits,
        env: { TRUSTED_PROXY_HOPS: "1" },
      });
      const unwanted = async (address: string) => {
        const connection = await openConnection(service.url);
        const headers = { ...CLOSE, "x-forwarded-for": address, "content-length": MIB };
        await connection.write(head("POST", "/nowhere", headers));
        while (!connection.received().includes("not_found")) await Bun.sleep(1);
        return connection;
      };
      const isWhole = (connection: RawConnection) => /content-length: /i.test(connection.received());
      const discarded = await Promise.all(Array.from({ length: 32 }, () => unwanted("192.0.2.1")));
      expect(discarded.filter(isWhole)).toEqual([]);
      using refused = await unwanted("192.0.2.1");
      await refused.ended();
      using other = await unwanted("192.0.2.2");
      expect(isWhole(other)).toBe(false);

      await discarded[0]?.write(new Uint8Array(MIB));
      await discarded[0]?.ended();
      using next = await unwanted("192.0.2.1");
      expect(isWhole(next)).toBe(false);
      for (const connection of discarded) connection[Symbol.dispose]();
    });

    test("is read no faster than the rate of an address, whatever its client sends", async () => {
      /** How many pieces were read of an endless body that was refused. */
      const readAt = async (rate: number, maxMs: number) => {
        let pieces = 0;
        const body = new ReadableStream<Uint8Array>({
          pull(controller) {
            pieces += 1;
            controller.enqueue(new Uint8Array(PIECE_BYTES));
          },
        });
        const headers = { ...CLOSE, "transfer-encoding": "chunked" };
        const request = new Request("http://localhost/", { method: "POST", headers, body });
        const limits = { maxBytes: MIB, maxMs, maxStalledMs: LONG_MS, bytesPerSecond: rate };
        await (await createUnreadBodies(limits)(request, new Response("no"))).text();
        return pieces;
      };
      expect(await readAt(bytesPerSecond, LONG_MS)).toBeGreaterThanOrEqual(MIB / PIECE_BYTES);
      expect(await readAt(1, 100)).toBeLessThanOrEqual(4); // one that the service reads, and what the stream has ready
    });

    test("is not left to the server, which knows no rate, unless it is small", async () => {
      await using service = await startService(driver);
      const refused = async (bytes: number) => {
        using connection = await openConnection(service.url);
        await connection.write(head("POST", "/nowhere", { "content-length": bytes }));
        await connection.write(new Uint8Array(bytes));
        return (await connection.answer()).headers.get("connection");
      };
      expect(await refused(64 * 1024)).not.toBe("close");
      expect(await refused(64 * 1024 + 1)).toBe("close");
    });

    test("takes none of the memory for uploads", async () => {
      await using service = await startService(driver);
      using connection = await openConnection(service.url);
      await connection.write(head("POST", "/nowhere", { ...CLOSE, "content-length": 4 * MIB }));
      await connection.write(new Uint8Array(2 * MIB));
      while (!connection.received().includes("not_found")) await Bun.sleep(1);
      expect(service.services.uploadBudget.heldBytes).toBe(0);
    });
  });
