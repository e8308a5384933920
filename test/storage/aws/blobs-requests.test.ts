/** The requests that the blob store makes to S3, and what it makes of the responses. */
import { afterAll, describe, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { systemRandom } from "../../../src/runtime/clock.ts";
import { IN_MEMORY_BYTES } from "../../../src/runtime/sizes.ts";
import { openAwsBlobs } from "../../../src/storage/aws/blobs.ts";
import { StorageUnavailable } from "../../../src/storage/contract.ts";
import { collect } from "../../contract/fixture.ts";
import { failureOf } from "../../support/failure-of.ts";
import { CLOCK_SKEWED } from "../../support/s3-proxy.ts";
import { type Respond, responding, s3Refusal, scriptedAws } from "../../support/scripted-aws.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const UUID = "01234567-89ab-4cde-8f01-23456789abcd";
const KEY = `b1/blobs/${UUID}`;
const ETAG = { etag: '"x"' };

const aws = await scriptedAws();
const messages: string[] = [];
const blobs = await openAwsBlobs(aws.config, {
  random: { ...systemRandom, uuid: () => UUID },
  retry: { budgetMs: 60_000, attemptMs: 60_000, firstPauseMs: 0, maxPauseMs: 0 },
  onClockSkew: (message) => void messages.push(message),
});
afterAll(() => blobs[Symbol.asyncDispose]());

const lines = () => aws.seen.map(({ method, target }) => `${method} ${target.replace(/x-id=\w+&?/, "")}`);

const sha256 = (content: string) => new Bun.CryptoHasher("sha256").update(content).digest("hex");
const checksum = (content: string) => Buffer.from(sha256(content), "hex").toString("base64");
const refOf = (content: string) => ({ key: KEY, size: content.length, sha256: sha256(content) });
const put = (content: string) => blobs.put("b1", content === "" ? [] : [Buffer.from(content)]);

describe("an upload", () => {
  test.each(["", "1", "data", "x".repeat(IN_MEMORY_BYTES + 1)])(
    "is one request, with length and hash (%#)",
    async (content) => {
      aws.respondInOrder(responding(200, "", { ...ETAG, "x-amz-checksum-sha256": checksum(content) }));
      expect(await put(content)).toEqual(refOf(content));
      expect(lines()).toEqual([`PUT /bucket/${KEY}?`]);
      expect(aws.seen[0]?.body).toBe(content);
      expect(aws.seen[0]?.headers).toMatchObject({
        "content-length": `${content.length}`,
        "content-type": "application/octet-stream",
        "x-amz-checksum-sha256": checksum(content),
        "x-amz-content-sha256": sha256(content),
        "if-none-match": "*",
      });
      expect(aws.seen[0]?.headers).not.toHaveProperty("x-amz-server-side-encryption");
    },
  );

  test("is sent again where the response is of another server or about other bytes", async () => {
    const other = responding(200, "", { ...ETAG, "x-amz-checksum-sha256": checksum("other") });
    aws.respondInOrder(responding(200), other, responding(200, "", ETAG));
    expect(await put("data")).toEqual(refOf("data"));
    expect(aws.seen.map(({ body }) => body)).toEqual(["data", "data", "data"]);
  });

  test("whose object is there already is confirmed by its checksum", async () => {
    const stored = { ...ETAG, "content-length": "4", "x-amz-checksum-sha256": checksum("data") };
    aws.respondInOrder(s3Refusal(412, "PreconditionFailed"), responding(200, "", stored));
    expect(await put("data")).toEqual(refOf("data"));
    expect(lines()).toEqual([`PUT /bucket/${KEY}?`, `HEAD /bucket/${KEY}`]);
    expect(aws.seen[1]?.headers["x-amz-checksum-mode"]).toBe("ENABLED");
  });

  test("whose object is there is confirmed by its checksum alone where the response has no length", async () => {
    const head = `HTTP/1.1 200 OK\r\netag: "x"\r\nx-amz-checksum-sha256: ${checksum("data")}\r\n\r\n`;
    const unmeasured: Respond = (response) => response.socket?.end(head);
    aws.respondInOrder(s3Refusal(412, "PreconditionFailed"), unmeasured);
    expect(await put("data")).toEqual(refOf("data"));
    expect(aws.seen).toHaveLength(2);
  });

  test("whose object is there is not confirmed, nor refused, by the page of another server", async () => {
    const page = responding(200, "", { "content-type": "text/html", "content-length": "9" });
    const stored = responding(200, "", { "content-length": "4", "x-amz-checksum-sha256": checksum("data") });
    aws.respondInOrder(s3Refusal(412, "PreconditionFailed"), page, stored);
    expect(await put("data")).toEqual(refOf("data"));
    expect(aws.seen).toHaveLength(3);
  });

  test("whose object is there without a checksum is confirmed by its content", async () => {
    const found = responding(200, "", { ...ETAG, "content-length": "4" });
    const conflict = s3Refusal(412, "PreconditionFailed");
    aws.respondInOrder(conflict, found, responding(200, "data", ETAG));
    expect(await put("data")).toEqual(refOf("data"));
    expect(lines()).toEqual([`PUT /bucket/${KEY}?`, `HEAD /bucket/${KEY}`, `GET /bucket/${KEY}?`]);
    aws.respondInOrder(conflict, found, responding(200, "DATA", ETAG));
    expect(await failureOf(put("data"))).toMatchObject({ name: "BlobDamaged" });
    aws.respondInOrder(conflict, found, s3Refusal(404, "NoSuchKey"));
    expect(`${await failureOf(put("data"))}`).toContain("was missing when it was read");
  });

  test.each([
    ["size", { "content-length": "5", "x-amz-checksum-sha256": checksum("data") }],
    ["size alone", { "content-length": "5" }],
    ["checksum", { "content-length": "4", "x-amz-checksum-sha256": checksum("DATA") }],
  ])("is not taken for stored where the object that is there has another %s", async (_name, headers) => {
    aws.respondInOrder(s3Refusal(412, "PreconditionFailed"), responding(200, "", { ...ETAG, ...headers }));
    expect(`${await failureOf(put("data"))}`).toContain(`another object has the name ${KEY}`);
    expect(aws.seen).toHaveLength(2);
  });

  test("that is refused is an outage", async () => {
    aws.respondInOrder();
    expect(await failureOf(put("data"))).toBeInstanceOf(StorageUnavailable);
    expect(aws.seen).toHaveLength(1);
  });
});

describe("a download", () => {
  test("of a small ciphertext has arrived before it is handed out, of the type that was stored", async () => {
    for (const content of ["", "data"]) {
      aws.respondInOrder(responding(200, content, { ...ETAG, "content-type": "application/octet-stream" }));
      expect(await new Response(await blobs.get(refOf(content))).text()).toBe(content);
      expect(lines()).toEqual([`GET /bucket/${KEY}?`]);
    }
  });

  test("of a small ciphertext that is damaged fails before it is handed out", async () => {
    for (const size of [4, IN_MEMORY_BYTES]) {
      aws.respondInOrder(responding(200, "y".repeat(size), ETAG));
      expect(await failureOf(blobs.get(refOf("x".repeat(size))))).toMatchObject({ name: "BlobDamaged" });
    }
  });

  test("of what is not there is none", async () => {
    aws.respondInOrder(s3Refusal(404, "NoSuchKey"));
    expect(await blobs.get(refOf("data"))).toBeNull();
    aws.respondInOrder(s3Refusal(404, "NoSuchBucket"));
    expect(await failureOf(blobs.get(refOf("data")))).toBeInstanceOf(StorageUnavailable);
  });

  test("of another size is damaged, and says which", async () => {
    aws.respondInOrder(responding(200, "longer", { ...ETAG, "content-length": "6" }));
    const error = await failureOf(blobs.get(refOf("data")));
    expect(`${error}`).toContain(`blob ${KEY} is damaged: 6 bytes, not 4`);
  });

  const large = "abcdefgh".repeat(IN_MEMORY_BYTES / 4);
  const half = large.length / 2;
  /** Reads it where the connection breaks in the first half, once some of it was read, and then responds so. */
  async function readBroken(rest: Respond): Promise<string> {
    let cut = () => {};
    const broken: Respond = (response) => {
      response.writeHead(200, { ...ETAG, "content-length": `${large.length}` });
      response.write(large.slice(0, half));
      cut = () => void response.destroy();
    };
    aws.respondInOrder(broken, rest);
    const pieces: Uint8Array[] = [];
    for await (const piece of (await blobs.get(refOf(large))) ?? []) {
      pieces.push(piece);
      cut();
    }
    return Buffer.concat(pieces).toString();
  }

  test("goes on after what has arrived, with the same object", async () => {
    const rest: Respond = (response, { headers }) => {
      const start = Number(/^bytes=(\d+)-$/.exec(`${headers.range}`)?.[1]);
      const range = { "content-range": `bytes ${start}-${large.length - 1}/${large.length}` };
      response.writeHead(206, { ...ETAG, ...range }).end(large.slice(start));
    };
    expect(await readBroken(rest)).toBe(large);
    const asked = aws.seen.map(({ headers }) => [headers.range, headers["if-match"]]);
    expect(asked).toEqual([
      [undefined, undefined],
      [expect.stringMatching(/^bytes=[1-9]\d*-$/), '"x"'],
    ]);
  });

  test("skips what has arrived where the endpoint begins again", async () => {
    expect(await readBroken(responding(200, large, ETAG))).toBe(large);
    expect(aws.seen).toHaveLength(2);
  });
});

const object = (key: string, size: number) =>
  `<Contents><Key>${key}</Key><Size>${size}</Size><LastModified>2026-02-03T04:05:06.000Z</LastModified></Contents>`;
const page = (objects: string, next?: string) =>
  responding(
    200,
    `<ListBucketResult><IsTruncated>${next !== undefined}</IsTruncated>${objects}${
      next === undefined ? "" : `<NextContinuationToken>${next}</NextContinuationToken>`
    }</ListBucketResult>`,
  );

describe("the size of an object", () => {
  const head = (length: string) => responding(200, "", { ...ETAG, "content-length": length });

  test("is that of its HEAD", async () => {
    for (const size of [0, 1, 4]) {
      aws.respondInOrder(head(`${size}`));
      expect(await blobs.sizeOf(KEY)).toBe(size);
      expect(lines()).toEqual([`HEAD /bucket/${KEY}`]);
    }
  });

  test("is none where the bucket is there and the object is not", async () => {
    aws.respondInOrder(responding(404), responding(200));
    expect(await blobs.sizeOf(KEY)).toBeNull();
    expect(lines()).toEqual([`HEAD /bucket/${KEY}`, expect.stringMatching(/^HEAD \/bucket\/?$/)]);
    aws.respondInOrder(responding(404), responding(404));
    const error = await failureOf(blobs.sizeOf(KEY));
    expect(error).toBeInstanceOf(StorageUnavailable);
    expect(`${error}`).toContain("the S3 bucket bucket cannot be used: it does not exist");
    aws.respondInOrder();
    expect(await failureOf(blobs.sizeOf(KEY))).toBeInstanceOf(StorageUnavailable);
  });

  test("is that of a list of one object where the HEAD has none", async () => {
    const headless: Respond = (response) => response.socket?.end('HTTP/1.1 200 OK\r\netag: "x"\r\n\r\n');
    for (const [objects, size] of [
      [object(KEY, 7), 7],
      [object(`${KEY}0`, 7), null],
      ["", null],
    ] as const) {
      aws.respondInOrder(headless, page(objects));
      expect(await blobs.sizeOf(KEY)).toBe(size);
      const list = new URL(aws.seen[1]?.target ?? "", aws.url).searchParams;
      expect([list.get("prefix"), list.get("max-keys")]).toEqual([KEY, "1"]);
    }
  });

  test("is asked for again where another server has responded", async () => {
    const other = responding(200, "", { "content-type": "text/html; charset=utf-8", "content-length": "9" });
    aws.respondInOrder(other, head("4"));
    expect(await blobs.sizeOf(KEY)).toBe(4);
  });
});

describe("a list", () => {
  test("has the blobs of all pages, without other objects and those that are skipped", async () => {
    const inner = `a/blobs/b/blobs/${UUID}`;
    const others = ["installation", `blobs/${UUID}`, `${KEY}0`].map((key) => object(key, 1)).join("");
    const pages = [page(object(KEY, 4) + others, "mark"), page(object(inner, 0))];
    aws.respondInOrder(...pages);
    const storedAtMs = Date.UTC(2026, 1, 3, 4, 5, 6);
    const first = { key: KEY, size: 4, storedAtMs, backupId: "b1" };
    const second = { key: inner, size: 0, storedAtMs, backupId: "a/blobs/b" };
    expect(await collect(blobs.list())).toEqual([first, second]);
    expect(lines()).toEqual([
      expect.stringMatching(/^GET \/bucket\/?\?list-type=2$/),
      expect.stringMatching(/^GET \/bucket\/?\?continuation-token=mark&list-type=2$/),
    ]);
    aws.respondInOrder(...pages);
    expect(await collect(blobs.list((key) => key === KEY))).toEqual([second]);
  });
});

describe("other requests", () => {
  test("delete an object, and see whether the bucket is there and takes a write", async () => {
    aws.respondInOrder(responding(204), responding(200), responding(200, "", ETAG));
    await blobs.delete(KEY);
    await blobs.ready();
    await blobs.writable();
    expect(lines()).toEqual([
      `DELETE /bucket/${KEY}?`,
      expect.stringMatching(/^HEAD \/bucket\/?$/),
      expect.stringMatching(/^PUT \/bucket\/.+$/),
    ]);
    expect(aws.seen[2]?.body).toBe("\0");
    expect(await blobs.freeBytes()).toBeNull();
  });

  test("are outages where they are refused", async () => {
    for (const call of [() => blobs.delete(KEY), () => blobs.ready(), () => blobs.writable()]) {
      aws.respondInOrder();
      expect(await failureOf(call())).toBeInstanceOf(StorageUnavailable);
      expect(aws.seen).toHaveLength(1);
    }
  });

  test("say that the folder for temporary files cannot be used", async () => {
    await using folder = await temporaryFolder();
    await rm(folder.path, { recursive: true });
    aws.respondInOrder(responding(200));
    expect(`${await failureOf(blobs.ready())}`).toContain(folder.path);
    while (aws.seen.length === 0) await new Promise(setImmediate); // the request for the bucket belongs to this test
  });

  test("are sent again with the time of S3, and say that the clock is wrong", async () => {
    const date = new Date(Date.now() - 20 * 60_000).toUTCString();
    aws.respondInOrder(responding(403, CLOCK_SKEWED.body, { date }), responding(204));
    await blobs.delete(KEY);
    expect(messages).toEqual(["the clock of this machine is 20 minutes ahead of AWS's"]);
  });
});
