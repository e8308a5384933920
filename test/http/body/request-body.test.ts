import { describe, expect, test } from "bun:test";
import { setImmediate as nextIteration } from "node:timers/promises";
import { CollectedBytes } from "../../../src/http/body/collected-bytes.ts";
import { Part } from "../../../src/http/body/part.ts";
import { requestBodyOf } from "../../../src/http/body/request-body.ts";
import { createUploadBudget } from "../../../src/limits/upload-budget.ts";
import { chunk, head, LAST_CHUNK, openConnection } from "../../support/raw-http.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** Reads bodies as the service does, and counts. */
function countingServer() {
  const counted = { bytes: 0, reads: 0 };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const body = requestBodyOf(request);
      for (let bytes = await body.read(); bytes !== null; bytes = await body.read()) {
        counted.reads += 1;
        counted.bytes += bytes.length;
      }
      return new Response("{}");
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, counted, [Symbol.asyncDispose]: () => server.stop(true) };
}

describe("a body in chunks of one byte", () => {
  const CHUNKS = 300_000;

  test("is read in as many iterations as it takes to arrive, not in one for each chunk", async () => {
    await using server = countingServer();
    using connection = await openConnection(server.url);
    await connection.write(head("POST", "/", { "transfer-encoding": "chunked" }));
    await connection.write(Buffer.from(Buffer.from(chunk("x")).toString().repeat(CHUNKS)));
    await connection.write(LAST_CHUNK);
    expect((await connection.answer()).status).toBe(200);
    expect(server.counted.bytes).toBe(CHUNKS);
    expect(server.counted.reads).toBeLessThan(CHUNKS / 100);
  });
});

describe("a body", () => {
  const someTurns = async () => {
    for (let count = 0; count < 10; count++) await nextIteration();
  };

  test("may be here unread, but not while the service waits for its client", async () => {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const body = requestBodyOf(new Request("http://localhost/", { method: "POST", body: readable }));
    expect(body.mayBeUnread).toBe(true);
    const reading = body.read();
    await someTurns();
    expect(body.mayBeUnread).toBe(false);
    void writer.write(new Uint8Array(64 * KIB));
    expect((await reading)?.length).toBe(64 * KIB);
    expect(body.mayBeUnread).toBe(true);
    void writer.write(new Uint8Array(10));
    expect((await body.read())?.length).toBe(10);
    expect(body.mayBeUnread).toBe(false); // its client sends little at a time
    void writer.close();
    expect(await body.read()).toBeNull();
    await someTurns();
    expect(body.mayBeUnread).toBe(false);
  });

  test("that is not read yet leaves no room for more than can be read ahead", () => {
    const budget = createUploadBudget(20 * MIB);
    const admit = () => {
      const request = new Request("http://localhost/", { method: "POST", body: new Blob().stream() });
      budget.admit(requestBodyOf(request), 15 * MIB);
    };
    for (let count = 0; count < 14; count++) admit();
    expect(admit).toThrow(expect.objectContaining({ code: "service_unavailable" }));
  });
});

describe("bytes that come one by one", () => {
  const BYTES = 100_000;
  const content = Uint8Array.from({ length: BYTES }, (_, index) => index);

  test("are put together", () => {
    const collected = new CollectedBytes(Number.MAX_SAFE_INTEGER);
    for (const byte of content) collected.add(Uint8Array.of(byte));
    expect(collected.length).toBe(BYTES);
    expect(collected.bytes).toEqual(content);
    expect(collected.bytes.buffer.byteLength).toBeLessThan(2 * BYTES);
  });

  test("say what memory they take, which is no more than there may be of them", () => {
    const collected = new CollectedBytes(BYTES);
    for (const byte of content) {
      collected.add(Uint8Array.of(byte));
      expect(collected.heldBytes).toBe(collected.bytes.buffer.byteLength);
      expect(collected.heldBytes).toBeLessThanOrEqual(BYTES);
    }
    collected.add(Uint8Array.of(1)); // one more than was declared, before that is noticed
    expect(collected.length).toBe(BYTES + 1);
  });

  test("become few pieces of a part", () => {
    const part = new Part(BYTES);
    for (const byte of content) part.add(Uint8Array.of(byte));
    const pieces: Uint8Array[] = [];
    for (let piece = part.take(); piece !== null; piece = part.take()) pieces.push(piece);
    expect(Buffer.concat(pieces)).toEqual(Buffer.from(content));
    expect(pieces.length).toBeLessThan(10);
  });

  test("keep their order among larger pieces, whenever they are taken", () => {
    for (const takeEvery of [1, 3, 1_000]) {
      const part = new Part(Number.MAX_SAFE_INTEGER);
      const taken: Uint8Array[] = [];
      const added: Buffer[] = [];
      for (let index = 0; index < 60; index++) {
        const piece = Buffer.alloc([1, 20 * KIB, 3, 8 * KIB, 9 * KIB][index % 5] ?? 0, index);
        added.push(piece);
        part.add(piece);
        const some = index % takeEvery === 0 ? part.take() : null;
        if (some !== null) taken.push(Buffer.from(some));
      }
      expect(Buffer.concat([...taken, part.takeAll()]).equals(Buffer.concat(added))).toBe(true);
    }
  });

  test("over the limit are counted, and no longer kept", () => {
    const part = new Part(10);
    for (let n = 0; n < 20; n++) part.add(Uint8Array.of(n));
    expect([part.size, part.takeAll().length]).toEqual([20, 10]);
  });
});
