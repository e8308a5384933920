/** What only the aws driver's record store does: the stored format, DynamoDB's limits and its unusual responses. */
import { describe, expect, test } from "bun:test";
import { DynamoDBClient, GetItemCommand } from "@aws-sdk/client-dynamodb";
import { systemRandom } from "../../src/runtime/clock.ts";
import { StartError } from "../../src/runtime/start-error.ts";
import { openAwsRecords } from "../../src/storage/aws/records.ts";
import { type Change, factorKeys, StorageUnavailable } from "../../src/storage/contract.ts";
import type { InspectableRecords } from "../../src/storage/inspection.ts";
import { DRIVERS } from "../drivers.ts";
import { cancelledTransaction, dynamoDbAnswer, dynamoDbError } from "../support/dynamodb-proxy.ts";
import type { SettableClock } from "../support/settable-clock.ts";
import { atOnce, backupOf, collect, create, labelOf, main, once, record, sync, token } from "./fixture.ts";
import { openProxiedRecords, type ProxiedRecords, SHORT_PAUSES } from "./proxied-records.ts";

/** For faults that never end. */
const SHORT = { ...SHORT_PAUSES, budgetMs: 500 };

/** An item as DynamoDB has it. */
async function itemOf(
  { storage }: ProxiedRecords,
  table: "factorLookup" | "backups" | "oneTime",
  key: string,
) {
  const client = new DynamoDBClient({
    region: storage.config.region,
    endpoint: storage.config.dynamoDbEndpoint ?? "",
  });
  const { Item } = await client.send(
    new GetItemCommand({
      TableName: storage.config.tables[table],
      Key: { [table === "backups" ? "BackupId" : "PK"]: { S: key } },
    }),
  );
  client.destroy();
  return Item;
}

if (DRIVERS.some((driver) => driver.name === "aws")) {
  describe("items", () => {
    test("a factor's row has its scope and key, its backup and the time", async () => {
      await using store = await openProxiedRecords();
      const claim = [main(factorKeys.passkey("abc")), sync(factorKeys.ecKeypair("BPub+/="))];
      await create(store.records, "b1", { claim });
      const row = { BackupId: { S: "b1" }, CreatedAt: { N: `${store.clock.nowMs()}` } };
      expect(await itemOf(store, "factorLookup", "MAIN#PK|abc")).toEqual({
        PK: { S: "MAIN#PK|abc" },
        ...row,
      });
      expect(await itemOf(store, "factorLookup", "SYNC#EC_KEYPAIR|BPub+/=")).toEqual({
        PK: { S: "SYNC#EC_KEYPAIR|BPub+/=" },
        ...row,
      });
    });

    test("DynamoDB keeps nonces and tokens beyond their expiry, which it has in seconds", async () => {
      await using store = await openProxiedRecords();
      const value = { id: "n1", expiresAtMs: 1_750_000_000_001 };
      store.clock.set(1_750_000_000_000);
      await store.records.consume([value], {
        id: "t1",
        backupId: "b1",
        holder: "holder",
        expiresAtMs: value.expiresAtMs,
      });
      const expiry = { ExpiresAtMs: { N: "1750000000001" }, ExpiresAt: { N: "1750003601" } };
      expect(await itemOf(store, "oneTime", "n1")).toEqual({
        PK: { S: "n1" },
        Spent: { BOOL: true },
        SpentBy: { S: expect.any(String) },
        ...expiry,
      });
      expect(await itemOf(store, "oneTime", "t1")).toEqual({
        PK: { S: "t1" },
        Holder: { S: "holder" },
        Spent: { BOOL: false },
        BackupId: { S: "b1" },
        ...expiry,
      });
    });

    test("a record keeps its metadata as one text", async () => {
      await using store = await openProxiedRecords();
      const next = record("x", { b: 1, a: [null] });
      await create(store.records, "b1", { next });
      const item = await itemOf(store, "backups", "b1");
      expect(item?.Metadata).toEqual({ S: '{"label":"x","b":1,"a":[null]}' });
    });

    test("a record without versions has no attribute for them", async () => {
      await using store = await openProxiedRecords();
      await create(store.records, "b1");
      expect(await itemOf(store, "backups", "b1")).not.toHaveProperty("Versions");
      expect(await store.records.read("b1")).toMatchObject({ versions: [] });
    });

    test("a record of a version that kept no time has none until it changes, also when it is repaired", async () => {
      await using store = await openProxiedRecords();
      const { records, clock } = store;
      const next = { ...record("x"), changedAtMs: null };
      await create(records, "b1", { next });
      expect(await itemOf(store, "backups", "b1")).not.toHaveProperty("ChangedAtMs");
      expect(await collect(records.list())).toEqual([
        { backupId: "b1", blobs: [next.blob], changedAtMs: null },
      ]);
      const stored = await records.read("b1");
      const expected = { revision: stored?.revision ?? "" };
      await records.commit({ backupId: "b1", expect: expected, next: stored });
      const repaired = await records.read("b1");
      expect(repaired?.changedAtMs).toBeNull();
      const revision = repaired?.revision ?? "";
      await records.commit({ backupId: "b1", expect: { revision }, next: record("x") });
      expect((await records.read("b1"))?.changedAtMs).toBe(clock.nowMs());
    });

    test("the mark of the installation is an item that never expires and is no backup", async () => {
      await using store = await openProxiedRecords();
      const { records } = store;
      store.proxy.inject({ kind: "drop answer" }, 2);
      expect(await records.markInstallation("id 1")).toBe("id 1");
      expect(await records.markInstallation("id 2")).toBe("id 1");
      expect(await itemOf(store, "backups", "#installation")).toEqual({
        BackupId: { S: "#installation" },
        Installation: { S: "id 1" },
      });
      expect(await collect(records.list())).toEqual([]);
      await records.noteRestore({ copiedAtMs: 1, restoredAtMs: 2 });
      expect(await records.restores()).toEqual([{ copiedAtMs: 1, restoredAtMs: 2 }]);
      expect(await records.installationId()).toBe("id 1");
    });
  });

  describe("limits", () => {
    test("a record too large for DynamoDB is an error that is no outage, and changes nothing", async () => {
      await using store = await openProxiedRecords();
      const revision = await create(store.records, "b1", { claim: [main("f1")] });
      const change: Change = {
        backupId: "b1",
        expect: { revision },
        next: record("too large", { filling: "x".repeat(410_000) }),
        claim: [main("f2")],
        release: [main("f1")],
        consume: [once("n1", store.clock)],
      };
      const outcome = await store.records.commit(change).catch((error: unknown) => error);
      expect(outcome).toBeInstanceOf(Error);
      expect(outcome).not.toBeInstanceOf(StorageUnavailable);
      expect(await labelOf(store.records, "b1")).toBe("b1");
      expect(await backupOf(store.records, main("f1"))).toBe("b1");
      expect(await store.records.locate(main("f2"), [once("n1", store.clock)])).toEqual({
        backupId: null,
        consumed: false,
      });
    });

    test("a deletion that releases every factor fits one transaction", async () => {
      await using store = await openProxiedRecords();
      const factors = Array.from({ length: 35 }, (_, index) => main(`f${index}`));
      const revision = await create(store.records, "b1", { claim: factors });
      const change: Change = { backupId: "b1", expect: { revision }, next: null, release: factors };
      expect(await store.records.commit(change)).toBe("committed");
      expect(store.proxy.seen.filter((line) => line.endsWith("TransactWriteItems"))).toHaveLength(2);
      const left = await atOnce(35, (index) => backupOf(store.records, main(`f${index}`)));
      expect(left.every((backupId) => backupId === null)).toBe(true);
    });
  });

  describe("responses", () => {
    test("locating is one call", async () => {
      await using store = await openProxiedRecords();
      await store.records.locate(main("f1"), [once("n1", store.clock), once("n2", store.clock)]);
      expect(store.proxy.seen).toEqual(["POST DynamoDB_20120810.BatchGetItem"]);
    });

    test("keys that DynamoDB leaves unprocessed are asked for again", async () => {
      await using store = await openProxiedRecords();
      const { factorLookup, oneTime } = store.storage.config.tables;
      const value = once("n1", store.clock);
      await create(store.records, "b1", { claim: [main("f1")], consume: [value] });
      const found = { PK: { S: "MAIN#f1" }, BackupId: { S: "b1" } };
      const body = {
        Responses: { [factorLookup]: [found], [oneTime]: [] },
        UnprocessedKeys: { [oneTime]: { Keys: [{ PK: { S: "n1" } }] } },
      };
      store.proxy.inject({ kind: "refuse", answer: dynamoDbAnswer(200, body) });
      expect(await store.records.locate(main("f1"), [value])).toEqual({ backupId: "b1", consumed: true });
    });

    test("a transaction with a failed condition and a conflict with another transaction is retried", async () => {
      await using store = await openProxiedRecords();
      await create(store.records, "b1", { claim: [main("f1")] });
      const change: Change = { backupId: "b2", expect: "absent", next: record("b2"), claim: [main("f2")] };
      const answer = cancelledTransaction("TransactionConflict", "ConditionalCheckFailed");
      store.proxy.inject({ kind: "refuse", answer });
      expect(await store.records.commit(change)).toBe("committed");
    });

    test("a consumed nonce is reported even together with a conflict with another transaction", async () => {
      await using store = await openProxiedRecords();
      const answer = cancelledTransaction("ConditionalCheckFailed", "TransactionConflict");
      store.proxy.inject({ kind: "refuse", answer }, Number.POSITIVE_INFINITY);
      const values = [once("n1", store.clock), once("n2", store.clock)];
      expect(await store.records.consume(values, token("t1", "b1", store.clock))).toBeNull();
    });

    test("a failed condition is reported where the other steps have no code", async () => {
      await using store = await openProxiedRecords();
      store.proxy.inject({
        kind: "refuse",
        answer: cancelledTransaction("ConditionalCheckFailed", undefined),
      });
      const change: Change = { backupId: "b1", expect: "absent", next: record("b1"), claim: [main("f1")] };
      expect(await store.records.commit(change)).toBe("exists");
    });

    test("a release whose responses are lost is made, and nothing else is released", async () => {
      await using store = await openProxiedRecords();
      const [nonce, other] = [once("n1", store.clock), once("n2", store.clock)];
      const consumption = await store.records.consume([nonce, nonce], token("t1", "b1", store.clock));
      await store.records.consume([other]);
      store.proxy.inject({ kind: "drop answer" }, 3);
      await consumption?.release();
      expect(store.proxy.seen.filter((line) => line.endsWith("UpdateItem"))).toHaveLength(2 + 3);
      expect(await store.records.isConsumed([nonce])).toBe(false);
      expect(await store.records.readToken("t1")).toBeNull();
      expect(await store.records.isConsumed([other])).toBe(true);
    });

    test("a commit whose responses are lost is made once, and is no conflict with itself", async () => {
      await using store = await openProxiedRecords();
      store.proxy.inject({ kind: "drop answer" }, 3);
      const change: Change = { backupId: "b1", expect: "absent", next: record("first") };
      expect(await store.records.commit(change)).toBe("committed");
      expect(store.proxy.seen).toHaveLength(4);
      expect(await store.records.commit(change)).toBe("exists");
      expect(await labelOf(store.records, "b1")).toBe("first");
    });
  });

  describe("a response that lacks what DynamoDB always sends", () => {
    const calls: Readonly<
      Record<string, (records: InspectableRecords, clock: SettableClock) => Promise<unknown>>
    > = {
      "is no factor that leads nowhere": (records) => backupOf(records, main("f1")),
      "is no end of a list": (records) => collect(records.list()),
      "is no count": (records, clock) => records.addToCounter("c1", 1, clock.nowMs() + 60_000),
    };
    for (const [name, call] of Object.entries(calls))
      test(`${name}: it is asked again`, async () => {
        await using store = await openProxiedRecords();
        await create(store.records, "b1", { claim: [main("f1")] });
        const expected = await call(store.records, store.clock);
        store.proxy.inject({ kind: "refuse", answer: dynamoDbAnswer(200, {}) });
        const answer = await call(store.records, store.clock);
        if (typeof expected === "number") expect(answer).toBe(expected + 1);
        else expect(answer).toEqual(expected);
      });

    for (const [name, call] of Object.entries(calls))
      test(`${name}: where it never has it, that is an outage`, async () => {
        await using store = await openProxiedRecords(SHORT);
        store.proxy.inject({ kind: "refuse", answer: dynamoDbAnswer(200, {}) }, Number.POSITIVE_INFINITY);
        await expect(call(store.records, store.clock)).rejects.toBeInstanceOf(StorageUnavailable);
      });
  });

  describe("a store that is not set up", () => {
    test("a missing table is an outage whose cause says what to do", async () => {
      await using store = await openProxiedRecords();
      const { config } = store.storage;
      const tables = { ...config.tables, backups: "no-such-table" };
      await using records = await openAwsRecords(
        { ...config, tables },
        { clock: store.clock, random: systemRandom },
      );
      const calls: (() => Promise<unknown>)[] = [
        () => records.read("b1"),
        () => records.commit({ backupId: "b1", expect: "absent", next: record("b1") }),
        () => collect(records.list()),
        () => records.ready(),
      ];
      for (const call of calls) {
        const error = await call().catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(StorageUnavailable);
        if (error instanceof Error) expect(String(error.cause)).toContain("aws:setup");
      }
      await expect(records.ready()).rejects.toThrow("no-such-table");
    });

    test("a service does not start without a table, and says which, and what makes it", async () => {
      await using store = await openProxiedRecords();
      const { config } = store.storage;
      const tables = { ...config.tables, oneTime: "no-such-table", history: "nor-this" };
      const options = { clock: store.clock, random: systemRandom, serves: true };
      const started = openAwsRecords({ ...config, tables }, options);
      await expect(started).rejects.toEqual(
        new StartError(
          "DynamoDB has no table no-such-table and no table nor-this: `bun run aws:setup` creates what is missing",
        ),
      );
      await using _whole = await openAwsRecords(config, options);
    });

    test("a service starts while DynamoDB does not say which tables there are", async () => {
      await using store = await openProxiedRecords();
      const config = { ...store.storage.config, dynamoDbEndpoint: store.proxy.url };
      store.proxy.inject({ kind: "drop request" }, Number.POSITIVE_INFINITY);
      const options = { clock: store.clock, random: systemRandom, serves: true };
      await using records = await openAwsRecords(config, {
        ...options,
        retry: { ...SHORT_PAUSES, budgetMs: 50 },
      });
      await expect(records.ready()).rejects.toBeInstanceOf(StorageUnavailable);
    });

    test("refused credentials are an outage at once", async () => {
      await using store = await openProxiedRecords();
      const answer = dynamoDbError(400, "UnrecognizedClientException");
      store.proxy.inject({ kind: "refuse", answer }, Number.POSITIVE_INFINITY);
      await expect(store.records.read("b1")).rejects.toBeInstanceOf(StorageUnavailable);
      expect(store.proxy.seen).toHaveLength(1);
    });
  });
}
