/** JSON that is no response of DynamoDB, as a proxy may send it, and items that cannot be read: the store is unavailable. */
import { afterAll, describe, expect, test } from "bun:test";
import { systemClock, systemRandom } from "../../../src/runtime/clock.ts";
import {
  deletionItem,
  dueDeletionItem,
  dueLeftoversItem,
  surplusItem,
} from "../../../src/storage/aws/history/items.ts";
import { openAwsRecords } from "../../../src/storage/aws/records.ts";
import { MAX_EVENTS, StorageUnavailable } from "../../../src/storage/contract.ts";
import { dynamoDbSuccess, responding, scriptedAws } from "../../support/scripted-aws.ts";

const aws = await scriptedAws();
const retry = { budgetMs: -1, attemptMs: 60_000 };
const records = await openAwsRecords(aws.config, { clock: systemClock, random: systemRandom, retry });
afterAll(() => records[Symbol.asyncDispose]());

const record = {
  BackupId: { S: "b1" },
  Revision: { S: "r1" },
  BlobKey: { S: "b1/blobs/1" },
  BlobSize: { N: "1" },
  BlobSha256: { S: "00" },
  Metadata: { S: "{}" },
};

const mark = { BackupId: { S: "#installation" } };
const row = { PK: { S: "MAIN#k" }, BackupId: { S: "b1" } };

const read = () => records.read("b1");
const listed = () => Array.fromAsync(records.listFactors());
const located = () => records.locate({ scope: "MAIN", key: "k" }, []);

const due = { id: "d1", dueMs: 1, backupId: "b1" };
const taken = () => records.collection.take(due);
const leftovers = (Blobs: string, LogIds = "[]") => ({
  Item: {
    ...dueLeftoversItem(due, "b1", { blobs: [], logIds: [] }),
    Blobs: { S: Blobs },
    LogIds: { S: LogIds },
  },
  Items: [], // of a log that is deleted
});

const CASES: readonly (readonly [string, () => Promise<unknown>, object])[] = [
  ["an item that is a list", read, { Item: [] }],
  ["an item that is a text", read, { Item: "x" }],
  ["a text of another type", read, { Item: { ...record, Revision: { S: 5 } } }],
  ["a number that is none", read, { Item: { ...record, BlobSize: { N: "x" } } }],
  ["an empty number", read, { Item: { ...record, BlobSize: { N: "" } } }],
  ["metadata that are not JSON", read, { Item: { ...record, Metadata: { S: "{" } } }],
  ["metadata that are no object", read, { Item: { ...record, Metadata: { S: "null" } } }],
  ["versions of an unknown format", read, { Item: { ...record, Versions: { S: "AAAA" } } }],
  ["items that are no list", listed, { Items: true }],
  ["items that are texts", listed, { Items: ["x"] }],
  ["items that are no list, beside something binary", listed, { Items: { M: { B: "" } } }],
  ["the key of a factor that is a number", listed, { Items: [{ PK: { S: 5 } }] }],
  ["a next page that is a text", listed, { Items: [], LastEvaluatedKey: "x" }],
  ["responses that are a list", located, { Responses: [[]] }],
  ["responses of items that are no list", located, { Responses: { factors: {} } }],
  ["unprocessed keys that are null", located, { Responses: {}, UnprocessedKeys: { factors: null } }],
  ["the record of another backup", read, { Item: { ...record, BackupId: { S: "b2" } } }],
  ["the row of another factor", located, { Responses: { factors: [{ ...row, PK: { S: "MAIN#l" } }] } }],
  ["a row of a table that nobody asked for", located, { Responses: { backups: [row] } }],
  [
    "the same keys unprocessed for ever",
    located,
    { Responses: {}, UnprocessedKeys: { factors: { Keys: [{ PK: row.PK }] } } },
  ],
  ["the same next page for ever", listed, { Items: [row], LastEvaluatedKey: { PK: row.PK } }],
  ["an event whose body is a text", () => records.outbox.due(1), { Items: [{ Body: { S: '"x"' } }] }],
  ["restores that are no list", () => records.restores(), { Item: { ...mark, Restores: { L: "x" } } }],
  ["a restore that is null", () => records.restores(), { Item: { ...mark, Restores: { L: [null] } } }],
  ["a last time that is none", () => records.lastSeenMs(), { Item: { ...mark, LastSeenMs: { N: "x" } } }],
  ["blobs to delete that are no list", taken, leftovers("{}")],
  ["a blob to delete that is null", taken, leftovers("[null]")],
  ["a blob to delete that is a text", taken, leftovers('["x"]')],
  ["a blob to delete without a key", taken, leftovers('[{"size":1,"sha256":"00"}]')],
  ["a blob to delete with a key that is a number", taken, leftovers('[{"key":1,"size":1,"sha256":"00"}]')],
  ["a blob to delete with a size that is a text", taken, leftovers('[{"key":"k","size":"1","sha256":"00"}]')],
  ["a blob to delete with a hash that is a number", taken, leftovers('[{"key":"k","size":1,"sha256":0}]')],
  ["logs to delete that are no list", taken, leftovers("[]", "{}")],
  ["a log to delete that is a number", taken, leftovers("[]", "[1]")],
  ["a sum that is none", () => records.addToCounter("c", 1, 1), { Attributes: { CounterSum: { N: "x" } } }],
];

describe("a response of DynamoDB with", () => {
  test.each(CASES)("%s is an outage", async (_name, call, response) => {
    aws.respond = dynamoDbSuccess(response);
    await expect(call()).rejects.toBeInstanceOf(StorageUnavailable);
  });

  test.each(["", "[]", "null", '"x"', "<html>sign in</html>"])(
    "%p as its body is an outage",
    async (body) => {
      aws.respond = responding(200, body);
      await expect(read()).rejects.toBeInstanceOf(StorageUnavailable);
      await expect(located()).rejects.toBeInstanceOf(StorageUnavailable);
    },
  );

  test.each(["1e999999999", '{"__type":"a","b":[-12.5E+99999999]}'])(
    "a number with a large exponent is an outage at once: %s",
    async (body) => {
      aws.respond = responding(400, body);
      await expect(read()).rejects.toBeInstanceOf(StorageUnavailable); // to read it would take minutes
    },
  );

  test("a checksum that its body does not have is an outage", async () => {
    const body = JSON.stringify({ Item: record });
    const checksum = Bun.hash.crc32(body);
    aws.respond = responding(200, body, { "x-amz-crc32": `${checksum}` });
    expect(await read()).toMatchObject({ revision: "r1" });
    aws.respond = responding(200, body, { "x-amz-crc32": `${checksum ^ 1}` });
    await expect(read()).rejects.toBeInstanceOf(StorageUnavailable);
  });

  test("items of other partitions, on a page that is named twice, deletes no event", async () => {
    const event = { PK: { S: "log|1" }, SK: { S: "e1" } };
    aws.respond = dynamoDbSuccess({ Items: Array(MAX_EVENTS).fill(event), LastEvaluatedKey: event });
    await expect(records.sweepExpired()).rejects.toBeInstanceOf(StorageUnavailable);
    const deletions = aws.seen.filter(({ operation }) => operation === "DeleteItem");
    expect(deletions.map(({ body }) => JSON.parse(body).Key)).toEqual([surplusItem("e1")]); // a note
  });

  test("another deleted state than the one that was taken gives up no ciphertext", async () => {
    const state = (deletionId: string) => ({
      blob: { key: `b1/blobs/${deletionId}`, size: 1, sha256: "00" },
      metadata: {},
      versions: [],
      deletionId,
      deletedAtMs: 1,
      keepUntilMs: 2,
      deletedBy: null,
      logId: null,
    });
    const dueRow = dynamoDbSuccess({ Item: dueDeletionItem(due, "b1", state("1")) });
    const takes = (deletionId: string) =>
      dynamoDbSuccess({ Attributes: deletionItem("b1", state(deletionId)) });
    aws.respondInOrder(dueRow, takes("1"));
    expect(await taken()).toEqual([state("1").blob]);
    aws.respondInOrder(dueRow, takes("2"));
    await expect(taken()).rejects.toBeInstanceOf(StorageUnavailable);
  });

  test("all members as they should be is read", async () => {
    aws.respond = dynamoDbSuccess({ Item: record });
    expect(await read()).toMatchObject({ revision: "r1", blob: { size: 1 }, metadata: {} });
  });
});
