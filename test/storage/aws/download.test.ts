/** Where a download goes on after an interruption, what it waits for, and when it ends. */
import { afterAll, afterEach, beforeEach, describe, expect, jest, spyOn, test } from "bun:test";
import type { ServerResponse } from "node:http";
import { systemRandom } from "../../../src/runtime/clock.ts";
import { createS3Client } from "../../../src/storage/aws/clients.ts";
import { DirectClient } from "../../../src/storage/aws/direct/client.ts";
import { S3 } from "../../../src/storage/aws/direct/s3.ts";
import { Download } from "../../../src/storage/aws/download.ts";
import { BlobDamaged, StorageUnavailable } from "../../../src/storage/contract.ts";
import { failureOf } from "../../support/failure-of.ts";
import { type Respond, responding, scriptedAws } from "../../support/scripted-aws.ts";

const KEY = "b1/blobs/01234567-89ab-4cde-8f01-23456789abcd";
const ETAG = { etag: '"x"' };
const CONTENT = "0123456789";
/** No other timer has these. Tests let their time pass. */
const ATTEMPT_MS = 70_001;
const UNREAD_MS = 70_002;

const aws = await scriptedAws();
/** One request at a time: what keeps its connection keeps all others waiting. */
const client = new DirectClient(createS3Client(aws.config), S3, 1);
let nowMs = 0;
/** What runs when the time of a timer has passed, by the timer. */
let timers = new Map<unknown, { readonly ms: number; readonly run: () => void }>();

afterAll(() => client.destroy());
beforeEach(() => {
  nowMs = 5_000;
  timers = new Map();
  spyOn(performance, "now").mockImplementation(() => nowMs);
  const [start, clear] = [setTimeout, clearTimeout];
  const startTimer = (...[run, ms = 0]: Parameters<typeof setTimeout>) => {
    if (ms !== ATTEMPT_MS && ms !== UNREAD_MS) return start(run, ms);
    const timer = start(() => {}, ms).unref();
    timers.set(timer, { ms, run });
    return timer;
  };
  const { __promisify__ } = start;
  spyOn(globalThis, "setTimeout").mockImplementation(Object.assign(startTimer, { __promisify__ }));
  spyOn(globalThis, "clearTimeout").mockImplementation((timer) => {
    if (!timers.delete(timer) && typeof timer !== "string") clear(timer);
  });
});
afterEach(() => {
  jest.restoreAllMocks();
});

const running = (ms: number) => [...timers.values()].filter((timer) => timer.ms === ms);

function pass(ms: number): void {
  for (const [timer, { ms: after, run }] of timers)
    if (after === ms) {
      timers.delete(timer);
      run();
    }
}

/** Without a length. */
const unmeasured: Respond = (response) => {
  response.writeHead(200, ETAG).write(CONTENT.slice(0, 5));
  response.end();
};
/** What a range that begins with the sixth byte is. */
const rest = responding(206, CONTENT.slice(5), {
  ...ETAG,
  "content-range": "bytes 5-9/10",
  "content-length": "5",
});
const listed = (size: number) =>
  responding(
    200,
    `<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>${KEY}</Key><Size>${size}</Size><LastModified>2026-02-03T04:05:06.000Z</LastModified></Contents></ListBucketResult>`,
  );

/** Begins a response, which the test ends. */
function beginning(begin: (response: ServerResponse) => void) {
  const begun = Promise.withResolvers<ServerResponse>();
  const closed = Promise.withResolvers<void>();
  const respond: Respond = (response) => {
    response.socket?.on("close", closed.resolve);
    begin(response);
    begun.resolve(response);
  };
  return { respond, begun: begun.promise, closed: closed.promise };
}

/** The requests so far: whether for the object or for a list, and from which byte. */
const asked = () =>
  aws.seen.map(({ target, headers }) =>
    target.includes("list-type") ? "list" : `${headers.range ?? "whole"} ${headers["if-match"] ?? ""}`.trim(),
  );

function downloadOf({ size = CONTENT.length, budgetMs = 60_000 } = {}) {
  const retry = { budgetMs, attemptMs: ATTEMPT_MS, firstPauseMs: 0, maxPauseMs: 0 };
  const ref = { key: KEY, size, sha256: "" };
  const options = { client, bucket: "bucket", random: systemRandom, retry, maxUnreadMs: UNREAD_MS };
  let timesClosed = 0;
  const download = new Download(ref, options, () => timesClosed++);
  return { download, timesClosed: () => timesClosed };
}

/** All of it. After each piece one of the steps is taken. */
async function contentOf(download: Download, ...steps: readonly (() => unknown)[]): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of download) await steps[pieces.push(piece) - 1]?.();
  return Buffer.concat(pieces).toString();
}

const causeOf = (error: unknown) => `${error instanceof StorageUnavailable ? error.cause : error}`;

describe("a download goes on", () => {
  test("after what has arrived where the connection breaks", async () => {
    const first = beginning((response) => response.writeHead(200, ETAG).write(CONTENT.slice(0, 5)));
    aws.respondInOrder(first.respond, rest);
    const { download } = downloadOf();
    expect(await download.open()).toBe(true);
    expect(await contentOf(download, async () => (await first.begun).destroy())).toBe(CONTENT);
    expect(asked()).toEqual(["whole", 'bytes=5- "x"']);
  });

  test("after what has arrived where the response begins with it, in whatever pieces", async () => {
    const first = beginning((response) => response.writeHead(200, ETAG).write(CONTENT.slice(0, 5)));
    const second = beginning((response) => response.writeHead(200, ETAG).write(CONTENT.slice(0, 3)));
    aws.respondInOrder(first.respond, second.respond);
    const { download } = downloadOf();
    await download.open();
    const content = contentOf(
      download,
      async () => (await first.begun).destroy(),
      async () => (await second.begun).write(CONTENT.slice(3, 7)),
      async () => (await second.begun).end(CONTENT.slice(7)),
    );
    expect(await content).toBe(CONTENT);
  });

  test("where nothing arrives until the deadline of an attempt", async () => {
    const first = beginning((response) => response.writeHead(200, ETAG).write(CONTENT.slice(0, 5)));
    aws.respondInOrder(first.respond, rest);
    const { download } = downloadOf();
    await download.open();
    const content = contentOf(download, () => void setImmediate(() => pass(ATTEMPT_MS)));
    expect(await content).toBe(CONTENT);
    expect(asked()).toEqual(["whole", 'bytes=5- "x"']);
  });

  test("where a body without a length ends before its object does", async () => {
    aws.respondInOrder(unmeasured, listed(10), rest);
    const { download } = downloadOf();
    await download.open();
    expect(await contentOf(download)).toBe(CONTENT);
    expect(asked()).toEqual(["whole", "list", 'bytes=5- "x"']);
  });

  test.each([
    ["a page of another server", { "content-type": "text/html", "content-length": "900000" }],
    ["a part that begins too late", { "content-range": "bytes 1-900000/900001", "content-length": "900000" }],
    ["a part that begins nowhere", { "content-range": "bytes", "content-length": "900000" }],
  ])("with another request after %s, which keeps no connection", async (_name, headers) => {
    const other = beginning((response) => response.writeHead(200, headers).write("x".repeat(300_000)));
    const content = "y".repeat(900_000);
    aws.respondInOrder(other.respond, responding(200, content, ETAG));
    const { download } = downloadOf({ size: content.length });
    expect(await download.open()).toBe(true);
    expect(await contentOf(download)).toBe(content);
    expect(asked()).toEqual(["whole", "whole"]);
  });
});

describe("a download ends", () => {
  test("with the last byte, also where the connection breaks behind it", async () => {
    const first = beginning((response) => response.writeHead(200, ETAG).write(CONTENT));
    aws.respondInOrder(first.respond);
    const { download } = downloadOf();
    await download.open();
    expect(await contentOf(download, async () => (await first.begun).destroy())).toBe(CONTENT);
    expect(asked()).toEqual(["whole"]);
  });

  test("where its object does, also if that is too soon", async () => {
    aws.respondInOrder(unmeasured, listed(5));
    const { download } = downloadOf();
    await download.open();
    expect(await contentOf(download)).toBe(CONTENT.slice(0, 5));
    expect(asked()).toEqual(["whole", "list"]);
  });

  test("before its first byte where the object has another length, and keeps no connection", async () => {
    const other = beginning((response) =>
      response.writeHead(200, { ...ETAG, "content-length": "900000" }).write("x".repeat(300_000)),
    );
    aws.respondInOrder(other.respond, responding(200, CONTENT, ETAG));
    expect(await failureOf(downloadOf().download.open())).toBeInstanceOf(BlobDamaged);
    const { download } = downloadOf();
    expect(await download.open()).toBe(true);
    expect(await contentOf(download)).toBe(CONTENT);
  });
});

describe("a download that is closed", () => {
  const large = { ...ETAG, "content-length": "900000" };
  const half = () => beginning((response) => response.writeHead(200, large).write("x".repeat(300_000)));

  test("closes its connection and says so once, and is not read any more", async () => {
    const first = half();
    aws.respondInOrder(first.respond);
    const { download, timesClosed } = downloadOf({ size: 900_000 });
    await download.open();
    for (let n = 0; n < 2; n++) download.close();
    expect(timers.size).toBe(0);
    await first.closed;
    expect(timesClosed()).toBe(1);
    expect(causeOf(await failureOf(contentOf(download)))).toContain("the download was closed");
    expect(asked()).toEqual(["whole"]);
  });

  test("while it is requested again closes that connection too", async () => {
    const [first, second] = [half(), half()];
    const isAsked = Promise.withResolvers<void>();
    const isClosed = Promise.withResolvers<void>();
    const late: Respond = async (response, request) => {
      isAsked.resolve();
      await isClosed.promise;
      second.respond(response, request);
    };
    aws.respondInOrder(first.respond, late);
    const { download, timesClosed } = downloadOf({ size: 900_000 });
    await download.open();
    const failure = failureOf(contentOf(download, async () => (await first.begun).destroy()));
    await isAsked.promise;
    download.close();
    isClosed.resolve();
    expect(causeOf(await failure)).toContain("the download was closed");
    await second.closed;
    expect(asked()).toHaveLength(2);
    expect(timesClosed()).toBe(1);
    expect(timers.size).toBe(0);
  });

  test("is so by itself when its reader asks for nothing for long, and not while it waits for S3", async () => {
    const first = beginning((response) => response.writeHead(200, ETAG).write(CONTENT.slice(0, 5)));
    aws.respondInOrder(first.respond);
    const { download, timesClosed } = downloadOf();
    await download.open();
    expect(running(UNREAD_MS)).toHaveLength(1);
    const pieces = download[Symbol.asyncIterator]();
    expect((await pieces.next()).done).toBe(false);
    expect(running(UNREAD_MS)).toHaveLength(1);
    const next = pieces.next();
    expect(running(UNREAD_MS)).toEqual([]);
    (await first.begun).write(CONTENT.slice(5));
    expect((await next).done).toBe(false);
    expect(timesClosed()).toBe(0);
    pass(UNREAD_MS);
    await first.closed;
    expect(timesClosed()).toBe(1);
  });
});

describe("the time of a download", () => {
  /** Reads an object for which S3 takes 100 ms. */
  async function readFor(budgetMs: number): Promise<string> {
    aws.respondInOrder((response, request) => {
      nowMs += 100;
      responding(200, CONTENT, ETAG)(response, request);
    });
    const { download } = downloadOf({ budgetMs });
    await download.open();
    nowMs += 1_000; // that of the reader does not count
    return contentOf(download);
  }

  test("is that for which S3 is waited for, in total", async () => {
    expect(await readFor(100)).toBe(CONTENT);
    expect(causeOf(await failureOf(readFor(99)))).toContain("too slow in total");
  });
});
