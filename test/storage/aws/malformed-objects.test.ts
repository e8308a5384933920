/** Responses that are none of S3, as a proxy or a faulty endpoint may send them: an outage, and nothing is taken for stored. */
import { afterAll, describe, expect, test } from "bun:test";
import { systemRandom } from "../../../src/runtime/clock.ts";
import { IN_MEMORY_BYTES } from "../../../src/runtime/sizes.ts";
import { openAwsBlobs } from "../../../src/storage/aws/blobs.ts";
import { MAX_S3_REQUESTS } from "../../../src/storage/aws/clients.ts";
import { StorageUnavailable } from "../../../src/storage/contract.ts";
import { type Respond, responding, scriptedAws } from "../../support/scripted-aws.ts";

const KEY = "b1/blobs/01234567-89ab-4cde-8f01-23456789abcd";
const SHA256 = new Bun.CryptoHasher("sha256").update("data").digest("hex");

const aws = await scriptedAws();
const retry = { budgetMs: -1, attemptMs: 60_000 };
const blobs = await openAwsBlobs(aws.config, { random: systemRandom, retry });
afterAll(() => blobs[Symbol.asyncDispose]());

const object = (size: string, key = KEY) =>
  `<Contents><Key>${key}</Key><Size>${size}</Size><LastModified>2026-02-03T04:05:06.000Z</LastModified></Contents>`;
const list = (inner: string) => `<ListBucketResult>${inner}</ListBucketResult>`;
const last = "<IsTruncated>false</IsTruncated>";
const more = "<IsTruncated>true</IsTruncated>";
const next = "<NextContinuationToken>same</NextContinuationToken>";

const LISTS: readonly (readonly [string, string])[] = [
  ["nothing", ""],
  ["a page of another server", "<html><body>sign in</body></html>"],
  ["a list of another kind", "<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>"],
  ["an error, and a line break", "<Error><Code>InternalError</Code></Error>\n"],
  ["an error after spaces", '<?xml version="1.0"?>\n  \n<Error><Code>InternalError</Code></Error >'],
  ["no word about whether it is whole", list(object("4"))],
  ["that there is more, and not where", list(`${more}${object("4")}`)],
  ["that there is more, and an empty token", list(`${more}<NextContinuationToken/>${object("4")}`)],
  ["the same next page for ever", list(`${more}${next}${object("4")}`)],
  ["a size that is no number", list(`${last}${object("NaN")}`)],
  ["an endless size", list(`${last}${object("Infinity")}`)],
  ["a negative size", list(`${last}${object("-1")}`)],
  [
    "entities",
    `<!DOCTYPE a [<!ENTITY a "${"a".repeat(99)}"><!ENTITY b "${"&a;".repeat(99)}">]>${list(last)}`,
  ],
  ["half a byte", list(`${last}${object("4.5")}`)],
  ["two sizes", list(`${last}<Contents><Key>${KEY}</Key><Size>1</Size><Size>2</Size></Contents>`)],
  ["an object without a name", list(`${last}<Contents><Size>4</Size></Contents>`)],
  ["a time that is none", list(`${last}${object("4").replace("2026-02", "2026-13")}`)],
  ["a list that breaks off", list(`${last}${object("4")}`).slice(0, -30)],
];

describe("a list of S3 with", () => {
  test.each(LISTS)("%s is an outage", async (_name, body) => {
    aws.respond = responding(200, body);
    await expect(Array.fromAsync(blobs.list())).rejects.toBeInstanceOf(StorageUnavailable);
    expect(aws.seen.length).toBeLessThanOrEqual(2);
  });
});

test.each(["", "<NextContinuationToken/>", next])(
  "a list of S3 ends with the page that says so, also with %p on it",
  async (token) => {
    aws.respond = responding(200, list(`${last}${token}${object("4")}`));
    expect(await Array.fromAsync(blobs.list(), ({ key }) => key)).toEqual([KEY]);
    expect(aws.seen).toHaveLength(1);
  },
);

const CONFIRMED = { etag: '"x"' };

describe("a ciphertext is not stored by a response with", () => {
  const responses: readonly (readonly [string, Respond])[] = [
    ["nothing", responding(200, "")],
    ["a page of another server", responding(200, "<html>sign in</html>")],
    ["an error", responding(200, "<Error><Code>InternalError</Code></Error>\n", CONFIRMED)],
    ["the checksum of other bytes", responding(200, "", { ...CONFIRMED, "x-amz-checksum-sha256": "AAAA" })],
  ];
  test.each(responses)("%s", async (_name, respond) => {
    aws.respond = respond;
    await expect(blobs.put("b1", [Buffer.from("data")])).rejects.toBeInstanceOf(StorageUnavailable);
  });
});

test("a ciphertext is stored by a response with all that S3 sends", async () => {
  aws.respond = responding(200, "", CONFIRMED);
  const ref = await blobs.put("b1", [Buffer.from("data")]);
  expect(ref).toMatchObject({ size: 4, sha256: SHA256 });
});

describe("a ciphertext is neither absent nor damaged by a response with", () => {
  const ref = { key: KEY, size: 4, sha256: SHA256 };
  const responses: readonly (readonly [string, Respond])[] = [
    ["a page of another server", responding(200, "<html>sign in</html>", { "content-type": "text/html" })],
    ["a page that says 404", responding(404, "<html>not found</html>")],
    ["another range", responding(200, "ta", { ...CONFIRMED, "content-range": "bytes 2-3/4" })],
  ];
  test.each(responses)("%s", async (_name, respond) => {
    aws.respond = respond;
    await expect(blobs.get(ref)).rejects.toBeInstanceOf(StorageUnavailable);
    await expect(blobs.sizeOf(KEY)).rejects.toBeInstanceOf(StorageUnavailable);
  });
});

test("objects with a time that cannot be read keep no connection", async () => {
  const contentOf = (size: number) => {
    const content = "x".repeat(size);
    const sha256 = new Bun.CryptoHasher("sha256").update(content).digest("hex");
    return { content, ref: { key: KEY, size, sha256 } };
  };
  const large = contentOf(IN_MEMORY_BYTES + 1);
  aws.respond = responding(200, large.content, { ...CONFIRMED, "last-modified": "x" });
  for (let count = 0; count < MAX_S3_REQUESTS; count++)
    await expect(blobs.get(large.ref)).rejects.toBeInstanceOf(StorageUnavailable);
  const larger = contentOf(8 * 1024 * 1024); // it may take eight seconds
  aws.respond = responding(200, larger.content, CONFIRMED);
  expect(await new Response(await blobs.get(larger.ref)).text()).toBe(larger.content);
});

test.each(["x", "4, 4", "-1", "4.5"])("the size %p of an object is an outage", async (length) => {
  aws.respond = (response) =>
    response.socket?.end(`HTTP/1.1 200 OK\r\netag: "x"\r\ncontent-length: ${length}\r\n\r\n`);
  await expect(blobs.sizeOf(KEY)).rejects.toBeInstanceOf(StorageUnavailable);
});

test.each(["", " ", "x", "-1", "1e3", "Infinity", "0x10", "9".repeat(16)])(
  "the time %p of a mark is no time",
  async (text) => {
    aws.respond = responding(200, text, CONFIRMED);
    expect(await blobs.lastSeenMs()).toBeNull();
  },
);

test("a mark is not what another server's page says", async () => {
  aws.respond = responding(200, "<p>sign in", { ...CONFIRMED, "content-type": "text/html" });
  await expect(blobs.installationId()).rejects.toBeInstanceOf(StorageUnavailable);
  await expect(blobs.lastSeenMs()).rejects.toBeInstanceOf(StorageUnavailable);
});
