/** Which requests reads of the tables take: strongly consistent ones, and again for what DynamoDB left out. */
import { afterAll, expect, test } from "bun:test";
import { systemRandom } from "../../../src/runtime/clock.ts";
import { openAwsRecords } from "../../../src/storage/aws/records.ts";
import { StorageUnavailable } from "../../../src/storage/contract.ts";
import { collect, main } from "../../contract/fixture.ts";
import { failureOf } from "../../support/failure-of.ts";
import { dynamoDbSuccess, scriptedAws } from "../../support/scripted-aws.ts";
import { SettableClock } from "../../support/settable-clock.ts";

const clock = new SettableClock();
const aws = await scriptedAws();
const retry = { budgetMs: 60_000, attemptMs: 60_000, firstPauseMs: 0 };
const records = await openAwsRecords(aws.config, { clock, random: systemRandom, retry });
afterAll(() => records[Symbol.asyncDispose]());

const respondWith = (...responses: readonly object[]) =>
  aws.respondInOrder(...responses.map(dynamoDbSuccess));
const bodies = () => aws.seen.map(({ body }): unknown => JSON.parse(body));

const nonce = (id: string) => ({ id, expiresAtMs: clock.nowMs() + 1 });
const key = (id: string) => ({ PK: { S: id } });
const live = (id: string) => ({ ...key(id), ExpiresAtMs: { N: `${clock.nowMs() + 1}` } });
const expired = (id: string) => ({ ...key(id), ExpiresAtMs: { N: `${clock.nowMs()}` } });

test("an item, a list and a partition are read consistently", async () => {
  respondWith({}, {}, { Items: [] }, { Items: [] }, { Items: [] });
  expect(await records.read("b1")).toBeNull();
  expect(await records.readToken("t1")).toBeNull();
  expect(await collect(records.list())).toEqual([]);
  expect(await collect(records.listFactors())).toEqual([]);
  expect(await records.readDeleted("b1")).toEqual([]);
  expect(bodies()).toMatchObject([
    { TableName: "backups", Key: { BackupId: { S: "b1" } }, ConsistentRead: true },
    { TableName: "one-time", Key: key("t1"), ConsistentRead: true },
    { TableName: "backups", ConsistentRead: true },
    { TableName: "factors", ConsistentRead: true },
    { TableName: "history", ConsistentRead: true },
  ]);
});

test("several items are read consistently in one request, each once", async () => {
  respondWith({ Responses: { factors: [{ ...key("MAIN#k"), BackupId: { S: "b1" } }] } });
  const found = await records.locate(main("k"), [nonce("n1"), nonce("n1"), nonce("n2")]);
  expect(found).toEqual({ backupId: "b1", consumed: false });
  expect(bodies()).toEqual([
    {
      RequestItems: {
        factors: { Keys: [key("MAIN#k")], ConsistentRead: true },
        "one-time": { Keys: [key("n1"), key("n2")], ConsistentRead: true },
      },
    },
  ]);
});

test("a table of which nothing is wanted is not named, and no request is made for nothing", async () => {
  respondWith({ Responses: {} });
  expect(await records.locate(main("k"), [])).toEqual({ backupId: null, consumed: false });
  expect(bodies()).toEqual([{ RequestItems: { factors: { Keys: [key("MAIN#k")], ConsistentRead: true } } }]);
  expect(await records.isConsumed([])).toBe(false);
  expect(aws.seen).toHaveLength(1);
});

test.each([
  ["first", live("n1"), expired("n2")],
  ["second", expired("n1"), live("n2")],
])("a nonce that the %s of two responses has is consumed", async (_name, first, second) => {
  respondWith(
    {
      Responses: { "one-time": [first] },
      UnprocessedKeys: { "one-time": { Keys: [key("n2")], ConsistentRead: true } },
    },
    { Responses: { "one-time": [second] }, UnprocessedKeys: {} },
  );
  expect(await records.isConsumed([nonce("n1"), nonce("n2")])).toBe(true);
  expect(bodies().slice(1)).toEqual([
    { RequestItems: { "one-time": { Keys: [key("n2")], ConsistentRead: true } } },
  ]);
});

test("a nonce counts until the millisecond in which it expires", async () => {
  for (const [item, consumed] of [
    [live("n1"), true],
    [expired("n1"), false],
  ] as const) {
    respondWith({ Responses: { "one-time": [item] } });
    expect(await records.isConsumed([nonce("n1")])).toBe(consumed);
  }
});

test("an item under another key than the one that was asked for is an outage that names the key", async () => {
  for (const [response, call, name] of [
    [{ Item: { BackupId: { S: "b2" } } }, () => records.read("b1"), "BackupId"],
    [{ Responses: { "one-time": [live("n2")] } }, () => records.isConsumed([nonce("n1")]), "PK"],
    [
      { Item: { ...key("x"), SK: { S: "y" } } },
      () => records.collection.take({ id: "d1", dueMs: 1, backupId: "b1" }),
      "PK or SK",
    ],
  ] as const) {
    respondWith(response);
    const error = await failureOf(call());
    expect(error).toBeInstanceOf(StorageUnavailable);
    expect(`${error instanceof Error && error.cause}`).toContain(`the attribute ${name} is missing`);
  }
});

test("a token is read until it expires", async () => {
  const token = { BackupId: { S: "b1" }, Holder: { S: "h" }, Spent: { BOOL: false } };
  respondWith({ Item: { ...live("t1"), ...token } }, { Item: { ...expired("t1"), ...token } });
  expect(await records.readToken("t1")).toEqual({ backupId: "b1", holder: "h", redeemed: false });
  expect(await records.readToken("t1")).toBeNull();
});

test("a counter has the sum that DynamoDB says", async () => {
  respondWith({ Attributes: { CounterSum: { N: "12" } } });
  expect(await records.addToCounter("c1", 2, clock.nowMs() + 1)).toBe(12);
  expect(bodies()).toMatchObject([
    { TableName: "one-time", Key: key("counter|c1"), ReturnValues: "UPDATED_NEW" },
  ]);
});
