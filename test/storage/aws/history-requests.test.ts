/** Which requests the reads of the history take, over however many pages DynamoDB returns the items. */
import { afterAll, expect, test } from "bun:test";
import type { AttributeValue, QueryCommandInput } from "@aws-sdk/client-dynamodb";
import { systemClock, systemRandom } from "../../../src/runtime/clock.ts";
import {
  deletionItem,
  dueDeletionItem,
  logKey,
  outboxItem,
  surplusItem,
} from "../../../src/storage/aws/history/items.ts";
import { openAwsRecords } from "../../../src/storage/aws/records.ts";
import { type DeletedBackup, MAX_EVENTS, StorageUnavailable } from "../../../src/storage/contract.ts";
import { dynamoDbSuccess, refused, scriptedAws } from "../../support/scripted-aws.ts";

type Item = Record<string, AttributeValue>;

const SHARDS = 4;

const aws = await scriptedAws();
const retry = { budgetMs: -1, attemptMs: 60_000 };
const records = await openAwsRecords(aws.config, { clock: systemClock, random: systemRandom, retry });
afterAll(() => records[Symbol.asyncDispose]());

const seen = (operation: string) => aws.seen.filter((request) => request.operation === operation);
const queries = () => seen("Query").map(({ body }): QueryCommandInput => JSON.parse(body));

/** Responds to each query with the page of that number of its list; to everything else with what was written. */
function respondWith(pageOf: (query: QueryCommandInput, page: number) => readonly Item[] | null) {
  const pages = new Map<string, number>();
  aws.respond = (response, { operation, body }) => {
    if (operation !== "Query") return void response.end("{}");
    const query: QueryCommandInput = JSON.parse(body);
    const list = JSON.stringify([query.KeyConditionExpression, query.ExpressionAttributeValues]);
    const page = (pages.get(list) ?? 0) + 1;
    pages.set(list, page);
    const Items = pageOf(query, page) ?? [];
    const isLast = pageOf(query, page + 1) === null;
    response.end(JSON.stringify({ Items, ...(!isLast && { LastEvaluatedKey: { PK: { S: `${page}` } } }) }));
  };
}

const partition = ({ ExpressionAttributeValues = {} }: QueryCommandInput) =>
  ExpressionAttributeValues[":partition"]?.S ?? "";

const times = <T>(count: number, make: (index: number) => T) =>
  Array.from({ length: count }, (_, n) => make(n));

function queued(id: string, dueMs: number): Item {
  const event = { id, backupId: "b1", atMs: 5, body: {} };
  return outboxItem({ event, attempts: 0, dueMs });
}

function stateOf(deletionId: string, keepUntilMs: number): DeletedBackup {
  const blob = { key: `b1/blobs/${deletionId}`, size: 1, sha256: "00" };
  const state = { blob, metadata: {}, versions: [], deletedAtMs: 1, deletedBy: null, logId: null };
  return { ...state, deletionId, keepUntilMs };
}

test("the backlog counts all pages of a shard, up to a thousand events, at half the price", async () => {
  respondWith((_query, page) => (page <= 2 ? times(page, (n) => ({ AtMs: { N: `${n + 3}` } })) : null));
  expect(await records.outbox.backlog()).toEqual({ waiting: 3 * SHARDS, oldestMs: 3 });
  expect(queries()).toHaveLength(2 * SHARDS);
  aws.seen.length = 0;
  respondWith(() => times(500, () => ({ AtMs: { N: "7" } })));
  expect(await records.outbox.backlog()).toEqual({ waiting: 1_000 * SHARDS, oldestMs: 7 });
  expect(queries()).toHaveLength(2 * SHARDS);
  for (const query of queries()) expect(query).toMatchObject({ Limit: 1_000, ConsistentRead: false });
});

test("what is due is read until there are as many as are wanted, the longest due first, at half the price", async () => {
  const shards = ["outbox|0", "outbox|1", "outbox|2", "outbox|3"];
  // of each shard one item a page: 40 30 20 10, then 41 31 21 11, and so on
  respondWith((query, page) => {
    const shard = shards.indexOf(partition(query));
    return [queued(`e${shard} ${page}`, 10 * (SHARDS - shard) + page)];
  });
  const due = await records.outbox.due(6);
  expect(due.map(({ dueMs }) => dueMs)).toEqual([11, 12, 13, 14, 15, 16]);
  expect(queries()).toHaveLength(6 * SHARDS);
  for (const query of queries()) expect(query).toMatchObject({ Limit: 6, ConsistentRead: false });
  respondWith(() => null);
  expect(await records.outbox.due(6)).toEqual([]);
});

test("newer events are counted up to the number that is shown, over all pages", async () => {
  const half = MAX_EVENTS / 2;
  const isCount = ({ KeyConditionExpression = "" }: QueryCommandInput) =>
    KeyConditionExpression.includes(">=");
  const older = { ...logKey("log", "a"), BackupId: { S: "b1" }, AtMs: { N: "1" }, Body: { S: "{}" } };
  const live = { ...older, ExpiresAtMs: { N: `${Number.MAX_SAFE_INTEGER}` } };
  respondWith((query, page) => {
    if (isCount(query)) return times(half, (n) => ({ SK: { S: `${page} ${n}` } }));
    return page === 1 ? [live] : null;
  });
  const beyond = await records.readEvents("log", { before: "b", limit: 5 });
  expect(beyond).toEqual({ events: [], next: null });
  expect(queries().filter(isCount)).toHaveLength(2);
  for (const query of queries().filter(isCount)) expect(query.Limit).toBe(MAX_EVENTS);
  respondWith((query, page) => {
    if (isCount(query)) return page <= 2 ? times(half - 1, () => ({ SK: { S: "x" } })) : null;
    return page === 1 ? [live, live, live] : null;
  });
  const last = await records.readEvents("log", { before: "b", limit: 5 });
  expect({ shown: last.events.length, next: last.next }).toEqual({ shown: 2, next: null });
});

test("surplus events are deleted of all pages of a log, and its note before them", async () => {
  const page = MAX_EVENTS * 0.7;
  const pages = [page, page, 10].map((size, at) => times(size, (n) => ({ SK: { S: `${at + 1} ${n}` } })));
  const respond = () =>
    respondWith((query, number) => {
      if (partition(query) === "surplus|2") return number === 1 ? [logKey("", "l")] : null;
      return partition(query) === "" ? (pages[number - 1] ?? null) : null;
    });
  const surplus = 2 * page + 10 - MAX_EVENTS;
  respond();
  expect(await records.countExpired()).toBe(surplus);
  aws.seen.length = 0;
  respond();
  expect(await records.sweepExpired()).toBe(surplus);
  const deleted = seen("DeleteItem").map(({ body }) => JSON.parse(body).Key);
  expect(deleted).toHaveLength(1 + surplus);
  expect(deleted[0]).toEqual(surplusItem("l"));
  expect(deleted[1]).toEqual(logKey("l", `2 ${MAX_EVENTS - page}`));
  expect(deleted.at(-1)).toEqual(logKey("l", "3 9"));
});

test("no surplus event is deleted whose note could not be", async () => {
  const events = dynamoDbSuccess({ Items: times(MAX_EVENTS + 1, (n) => ({ SK: { S: `${n}` } })) });
  aws.respond = (response, request) =>
    (request.operation === "DeleteItem" ? refused : events)(response, request);
  await expect(records.sweepExpired()).rejects.toBeInstanceOf(StorageUnavailable);
  expect(seen("DeleteItem")).toHaveLength(1);
});

test("deleted states are read on where none of a page is kept", async () => {
  const [taken, over, kept] = [
    { ...deletionItem("b1", stateOf("1", Number.MAX_SAFE_INTEGER)), Taken: { BOOL: true } },
    deletionItem("b1", stateOf("2", 1)),
    deletionItem("b1", stateOf("3", Number.MAX_SAFE_INTEGER)),
  ];
  respondWith((_query, page) => [[taken, over], [], [kept, over], [kept]][page - 1] ?? null);
  expect((await records.readDeleted("b1")).map(({ deletionId }) => deletionId)).toEqual(["3"]);
  expect(queries()).toHaveLength(3);
});

test("a lease, a state to take and an item to delete that DynamoDB refuses are outages", async () => {
  const due = { id: "d1", dueMs: 1, backupId: "b1" };
  const row = dynamoDbSuccess({ Item: dueDeletionItem(due, "b1", stateOf("1", 1)) });
  aws.respond = (response, request) => (request.operation === "GetItem" ? row : refused)(response, request);
  const { collection, outbox } = records;
  const event = { event: { id: "e1", backupId: "b1", atMs: 1, body: {} }, attempts: 0, dueMs: 1 };
  for (const call of [
    () => collection.lease("process", 1),
    () => collection.take(due),
    () => collection.settle(due),
    () => outbox.settle(event),
  ])
    await expect(call()).rejects.toBeInstanceOf(StorageUnavailable);
});
