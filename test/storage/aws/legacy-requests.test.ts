/** What is asked of the stores of the other service, and what their responses are taken for. */
import { afterAll, afterEach, describe, expect, jest, spyOn, test } from "bun:test";
import type { LegacyOptions } from "../../../src/storage/aws/legacy/source.ts";
import { openLegacyTarget } from "../../../src/storage/aws/legacy/target.ts";
import { type FactorRef, StorageUnavailable } from "../../../src/storage/contract.ts";
import { LegacyNoText, LegacyTooLarge, MAX_LEGACY_BYTES } from "../../../src/storage/legacy.ts";
import { failureOf } from "../../support/failure-of.ts";
import { LEGACY_OPTIONS } from "../../support/legacy-stores.ts";
import {
  dynamoDbRefusal,
  dynamoDbSuccess,
  type Respond,
  refused,
  responding,
  s3Refusal,
  scriptedAws,
} from "../../support/scripted-aws.ts";

const aws = await scriptedAws();
const location = {
  bucket: "other-bucket",
  table: "other-table",
  region: "eu-west-1",
  s3Endpoint: aws.url,
  dynamoDbEndpoint: aws.url,
};
const open = (retry: LegacyOptions["retry"] = { budgetMs: -1 }) =>
  openLegacyTarget(location, { ...LEGACY_OPTIONS, retry });
const target = open();
afterAll(() => target[Symbol.asyncDispose]());
afterEach(() => {
  jest.restoreAllMocks();
});

const factor = (key: string): FactorRef => ({ scope: "MAIN", key });
const ETAG = { etag: '"x"' };
const MIB = 2 ** 20;
const found = (key: string, size: number) =>
  `<Contents><Key>${key}</Key><Size>${size}</Size><LastModified>2026-02-03T04:05:06.000Z</LastModified></Contents>`;
const list = (inner: string) => responding(200, `<ListBucketResult>${inner}</ListBucketResult>`);
const listed = (key: string, size: number) => list(`<IsTruncated>false</IsTruncated>${found(key, size)}`);
const seen = () => aws.seen.map(({ method, target: path, operation }) => `${method} ${operation || path}`);

/** A response whose body does not end by itself. */
const endless =
  (headers: Readonly<Record<string, string>>, begin = ""): Respond =>
  (response) => {
    response.writeHead(200, headers);
    response.write(begin);
  };

describe("the bucket and the table", () => {
  test("are ready when both respond", async () => {
    aws.respondInOrder(responding(200), dynamoDbSuccess({}));
    await target.ready();
    expect(seen()).toEqual(["HEAD /other-bucket/", "POST GetItem"]);
    expect(JSON.parse(aws.seen[1]?.body ?? "")).toEqual({
      TableName: "other-table",
      Key: { PK: { S: "MAIN#" } },
    });
  });

  test("are not ready where one does not exist, or may not be read", async () => {
    const bucket = "the bucket other-bucket of the other service cannot be used";
    const absent = "the table other-table of the other service does not exist";
    for (const [responses, message] of [
      [[responding(404)], `${bucket}: it does not exist`],
      [[responding(403)], bucket],
      [[responding(200), dynamoDbRefusal("ResourceNotFoundException")], absent],
      [[responding(200), refused], "the table other-table of the other service cannot be read"],
    ] as const) {
      aws.respondInOrder(...responses);
      const failure = await failureOf(target.ready());
      expect(failure).toBeInstanceOf(StorageUnavailable);
      expect(failure).toMatchObject({ message });
    }
  });

  test("are connected to no more once they are closed", async () => {
    await using other = open();
    aws.respondInOrder(responding(200), dynamoDbSuccess({}));
    await other.ready();
    expect(aws.connections).toBeGreaterThanOrEqual(2);
    await other[Symbol.asyncDispose]();
    await target[Symbol.asyncDispose](); // it connects again when it is used
    await aws.deserted();
  });
});

describe("an object", () => {
  test("is listed with the others of its id, over several pages", async () => {
    const more = "<IsTruncated>true</IsTruncated><NextContinuationToken>next</NextContinuationToken>";
    aws.respondInOrder(
      list(`${more}${found("b1/backup", 3)}`),
      list(`<IsTruncated>false</IsTruncated>${found("b1/metadata", 4)}${found("b2/backup", 5)}`),
    );
    const modifiedAtMs = Date.parse("2026-02-03T04:05:06Z");
    expect(await Array.fromAsync(target.list())).toEqual([
      { backupId: "b1", hasMetadata: true, modifiedAtMs, ciphertextBytes: 3 },
      { backupId: "b2", hasMetadata: false, modifiedAtMs: null, ciphertextBytes: 5 },
    ]);
    expect(seen()[1]).toContain("continuation-token=next");
  });

  test("with metadata must be UTF-8", async () => {
    aws.respond = responding(200, Buffer.from([0x22, 0xc3, 0x22]));
    await expect(target.metadata("b1")).rejects.toBeInstanceOf(LegacyNoText);
  });

  test("may be as large as a backup can be, and no larger", async () => {
    const largest = Buffer.alloc(MAX_LEGACY_BYTES);
    aws.respond = responding(200, largest, { "content-length": `${largest.length}` });
    expect((await target.ciphertext("b1", null))?.length).toBe(MAX_LEGACY_BYTES);
    aws.respondInOrder(listed("b1/backup", MAX_LEGACY_BYTES));
    expect(await target.ciphertextPieces("b1", null)).not.toBeNull();
    aws.respondInOrder(listed("b1/backup", MAX_LEGACY_BYTES + 1));
    await expect(target.ciphertextPieces("b1", null)).rejects.toBeInstanceOf(LegacyTooLarge);
  });

  test("that is not wanted, or not read to its end, keeps no connection", async () => {
    await target[Symbol.asyncDispose](); // which may have some; it connects again when it is used
    await using other = open({ budgetMs: 0 });
    aws.respond = endless({ "content-length": `${MAX_LEGACY_BYTES + 1}` }, "begin");
    await expect(other.ciphertext("b1", null)).rejects.toBeInstanceOf(LegacyTooLarge);
    await aws.deserted();
    aws.respond = endless({ "content-type": "text/html" }, "<p>sign in");
    await expect(other.metadata("b1")).rejects.toBeInstanceOf(StorageUnavailable);
    await aws.deserted();
    const once: Respond = (response, request) => {
      response.setHeader("connection", "close");
      listed("b1/backup", 10 * MIB)(response, request);
    };
    aws.respondInOrder(once, endless(ETAG, "01234"));
    for await (const piece of (await other.ciphertextPieces("b1", null)) ?? []) {
      expect(Buffer.from(piece).toString()).toBe("01234");
      break;
    }
    await aws.deserted();
  });

  test("is asked for again where another server has responded", async () => {
    await using other = open({ budgetMs: 60_000, firstPauseMs: 0, maxPauseMs: 0 });
    aws.respondInOrder(
      responding(200, "<p>sign in", { "content-type": "text/html" }),
      responding(200, '{"é":1}', { "content-type": "application/json" }),
    );
    expect(await other.metadata("b1")).toBe('{"é":1}');
  });

  test("may take a second for each MiB, beside the time for retries", async () => {
    const size = 10 * MIB;
    for (const [waitedMs, isInTime] of [
      [9_000, true],
      [11_000, false],
    ] as const) {
      let nowMs = 0;
      spyOn(performance, "now").mockImplementation(() => nowMs);
      await using other = open({ budgetMs: 0, firstPauseMs: 0, maxPauseMs: 0 });
      aws.respondInOrder(
        listed("b1/backup", size),
        (response) => {
          nowMs += waitedMs;
          response.writeHead(200, { ...ETAG, "content-length": `${size}` });
          response.write(Buffer.alloc(size / 2), () => response.destroy());
        },
        (response, request) => {
          const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "bytes=0-")?.[1]);
          const range = { ...ETAG, "content-range": `bytes ${start}-${size - 1}/${size}` };
          responding(start === 0 ? 200 : 206, Buffer.alloc(size - start), range)(response, request);
        },
      );
      const pieces = (await other.ciphertextPieces("b1", null)) ?? [];
      const content = Array.fromAsync(pieces).then((all) => Buffer.concat(all).length);
      if (isInTime) expect(await content).toBe(size);
      else await expect(content).rejects.toBeInstanceOf(StorageUnavailable);
    }
  });

  test("is written with its type, length and hash, or it is an outage", async () => {
    const sha256 = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest("base64");
    aws.respondInOrder(responding(200), responding(200));
    await target.putCiphertext("b1", "archive_1", new TextEncoder().encode("123"));
    await target.putMetadata("b1", "{}");
    expect(aws.seen).toMatchObject(
      [
        ["b1/backups/archive_1", "application/octet-stream", "123"],
        ["b1/metadata", "application/json", "{}"],
      ].map(([key, type, body = ""]) => ({
        method: "PUT",
        target: expect.stringContaining(`/other-bucket/${key}`),
        body,
        headers: {
          "content-type": type,
          "content-length": `${body.length}`,
          "x-amz-checksum-sha256": sha256(body),
        },
      })),
    );
    aws.respond = s3Refusal(403, "AccessDenied");
    await expect(target.putMetadata("b1", "{}")).rejects.toBeInstanceOf(StorageUnavailable);
  });
});

describe("a row", () => {
  test("leads nowhere where it names no backup, and has a time only where that is a whole number", async () => {
    const item = (key: string, members: object) => ({ PK: { S: `MAIN#${key}` }, ...members });
    const row = (lastUsedAt: string) => ({ BackupId: { S: "b1" }, LastUsedAt: { N: lastUsedAt } });
    aws.respond = dynamoDbSuccess({
      Responses: {
        "other-table": [
          item("nowhere", {}),
          item("number", { BackupId: { N: "1" } }),
          item("unused", { BackupId: { S: "b1" } }),
          item("used", row("7")),
          item("half", row("7.5")),
          item("large", row("1e300")),
        ],
      },
      UnprocessedKeys: {},
    });
    const rows = await target.rows(["nowhere", "number", "unused", "used", "half", "large"].map(factor));
    expect([...rows].map(([key, { backupId, lastUsedAt }]) => [key, backupId, lastUsedAt])).toEqual([
      ["MAIN#unused", "b1", null],
      ["MAIN#used", "b1", 7],
      ["MAIN#half", "b1", null],
      ["MAIN#large", "b1", null],
    ]);
  });

  test("is asked for only where there can be one", async () => {
    expect(await target.rows([])).toEqual(new Map());
    expect(await target.rows([factor("\ud83d")])).toEqual(new Map());
    expect(seen()).toEqual([]);
  });

  test("that could not be written for another reason than its backup is an outage", async () => {
    const written = { backupId: "b1", lastUsedAt: null, createdAtMs: 5 };
    aws.respond = dynamoDbRefusal("ConditionalCheckFailedException");
    expect(await target.putRow(factor("k"), written)).toBe(false);
    aws.respond = refused;
    await expect(target.putRow(factor("k"), written)).rejects.toBeInstanceOf(StorageUnavailable);
  });
});
