/** What only the aws driver does with deleted states and events: the stored format, the limits, the number of calls. */
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { DynamoDBClient, ScanCommand } from "@aws-sdk/client-dynamodb";
import { MAX_METADATA_BYTES } from "../../src/backups/rules.ts";
import { systemRandom } from "../../src/runtime/clock.ts";
import { timeOrderedId } from "../../src/runtime/time-ordered-id.ts";
import { packVersions } from "../../src/storage/aws/packed-versions.ts";
import {
  type Change,
  ChangeRefused,
  COLLECTED_AFTER_MS,
  type DeletedBackup,
  MAX_EVENTS,
  MAX_FORGOTTEN,
  type NewEvent,
  StorageUnavailable,
} from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import { dynamoDbError } from "../support/dynamodb-proxy.ts";
import type { SettableClock } from "../support/settable-clock.ts";
import { atOnce, collect, create, MINUTE_MS, main, once, record, version } from "./fixture.ts";
import { openProxiedRecords, type ProxiedRecords } from "./proxied-records.ts";

const HOUR_MS = 60 * MINUTE_MS;
const ID = "d0000000-0000-4000-8000-000000000000";

/** The items of the history table, by their partition keys without the number of a shard. */
async function itemsOf({ storage }: ProxiedRecords) {
  const { region, dynamoDbEndpoint, tables } = storage.config;
  const client = new DynamoDBClient({ region, endpoint: dynamoDbEndpoint ?? "" });
  const { Items = [] } = await client.send(new ScanCommand({ TableName: tables.history }));
  client.destroy();
  return Object.fromEntries(Items.map((item) => [item.PK?.S?.replace(/\|\d+$/, ""), item]));
}

function stateOf(clock: SettableClock, state: Partial<DeletedBackup> = {}): DeletedBackup {
  return {
    ...record("b1"),
    deletionId: ID,
    deletedAtMs: clock.nowMs(),
    keepUntilMs: clock.nowMs() + HOUR_MS,
    deletedBy: null,
    logId: null,
    ...state,
  };
}

let sequence = 0;
function eventOf(clock: SettableClock, event: Partial<NewEvent> = {}): NewEvent {
  const atMs = clock.nowMs();
  const id = timeOrderedId(atMs, sequence++ % 4096, systemRandom);
  const expiresAtMs = atMs + HOUR_MS;
  return { id, backupId: "b1", atMs, body: {}, logId: "log", expiresAtMs, deliverFromMs: null, ...event };
}

const sent = ({ proxy }: ProxiedRecords) => proxy.seen.map((line) => line.replace(/^.*\./, ""));

if (DRIVERS.some((driver) => driver.name === "aws")) {
  describe("items of the history", () => {
    test("a deleted state has the attributes of a record, and a row for its collection an hour after its time", async () => {
      await using store = await openProxiedRecords();
      store.clock.set(1_750_000_000_000);
      const versions = [version("before")];
      const revision = await create(store.records, "b1");
      const setAside = stateOf(store.clock, { versions, deletedBy: "factor", logId: "log" });
      await store.records.commit({ backupId: "b1", expect: { revision }, next: null, setAside });
      const { blob } = record("b1");
      const hash = createHash("sha256").update("b1").digest("hex");
      const deletion = { DeletionId: { S: ID }, DeletedAtMs: { N: "1750000000000" } };
      expect(await itemsOf(store)).toEqual({
        deleted: {
          PK: { S: "deleted|7" },
          SK: { S: `${hash}|001750000000000|${ID}` },
          BackupId: { S: "b1" },
          ...deletion,
          KeepUntilMs: { N: "1750003600000" },
          DeletedBy: { S: "factor" },
          LogId: { S: "log" },
          BlobKey: { S: blob.key },
          BlobSize: { N: `${blob.size}` },
          BlobSha256: { S: blob.sha256 },
          Metadata: { S: '{"label":"b1"}' },
          Versions: { S: packVersions("b1", versions) },
        },
        due: {
          PK: { S: "due|0" },
          SK: { S: `001750007200000|${ID}` },
          Id: { S: ID },
          DueMs: { N: "1750007200000" },
          BackupId: { S: "b1" },
          ...deletion,
        },
      });
    });

    test("an event is in its log, which DynamoDB expires, and in the outbox, which it does not", async () => {
      await using store = await openProxiedRecords();
      store.clock.set(1_750_000_000_000);
      const id = "e0000000-0000-4000-8000-000000000001"; // one of those that note their log
      const deliverFromMs = 1_750_000_008_000;
      const event = eventOf(store.clock, { id, body: { kind: "CREATED" }, logId: "a log", deliverFromMs });
      await store.records.consume([], undefined, [event]);
      const attributes = {
        BackupId: { S: "b1" },
        AtMs: { N: "1750000000000" },
        Body: { S: '{"kind":"CREATED"}' },
      };
      expect(await itemsOf(store)).toEqual({
        "log|a log": {
          PK: { S: "log|a log" },
          SK: { S: id },
          ...attributes,
          ExpiresAtMs: { N: "1750003600000" },
          ExpiresAt: { N: "1750007200" },
        },
        outbox: {
          PK: { S: "outbox|3" },
          SK: { S: `001750000008000|${id}` },
          ...attributes,
          EventId: { S: id },
          DueMs: { N: "1750000008000" },
          Attempts: { N: "0" },
        },
        surplus: { PK: { S: "surplus|1" }, SK: { S: "a log" } },
      });
    });

    test("few events note their log", async () => {
      await using store = await openProxiedRecords();
      const logIds = Array.from({ length: 40 }, (_, index) => `log ${index}`);
      await store.records.consume(
        [],
        undefined,
        logIds.map((logId, index) => eventOf(store.clock, { logId, id: `event ${index}` })),
      );
      expect(Object.keys(await itemsOf(store)).sort()).toEqual(logIds.map((id) => `log|${id}`).sort());
    });

    test("the lease is one item", async () => {
      await using store = await openProxiedRecords();
      await store.records.collection.lease("process", store.clock.nowMs() + 1);
      expect(await itemsOf(store)).toEqual({
        lease: {
          PK: { S: "lease" },
          SK: { S: "collection" },
          Holder: { S: "process" },
          UntilMs: { N: `${store.clock.nowMs() + 1}` },
        },
      });
    });
  });

  describe("limits of the history", () => {
    test("a record that can be stored can be kept and brought back, and a larger one cannot be stored", async () => {
      await using store = await openProxiedRecords();
      const { records, clock } = store;
      const change = { backupId: "b1", expect: "absent" } as const;
      const storable = async (filling: number) => {
        const next = record("b1", { filling: "x".repeat(filling) });
        const outcome = await records.commit({ ...change, next }).catch((error: unknown) => error);
        if (outcome !== "committed") expect(outcome).toBeInstanceOf(ChangeRefused);
        return outcome === "committed" ? next : null;
      };
      let filling = 400 * 1024;
      let next = await storable(filling);
      while (next === null) {
        filling -= 100;
        next = await storable(filling);
      }
      expect(filling).toBeGreaterThan(398 * 1024);
      const revision = (await records.read("b1"))?.revision ?? "";
      const setAside = stateOf(clock, {
        ...next,
        deletedBy: crypto.randomUUID(),
        logId: crypto.randomUUID(),
      });
      const deletion = { backupId: "b1", expect: { revision }, next: null, setAside };
      expect(await records.commit(deletion)).toBe("committed");
      expect(await records.readDeleted("b1")).toEqual([setAside]);
      expect(await records.commit({ ...change, next, bringBack: setAside })).toBe("committed");
    });

    test("a record of the largest metadata and of as many versions as can be configured is stored and kept", async () => {
      await using store = await openProxiedRecords();
      const { records, clock } = store;
      const backupId = `backup_account_${"02".repeat(33)}`;
      const versions = Array.from({ length: 100 }, () => {
        const blob = { key: `${backupId}/blobs/${crypto.randomUUID()}`, size: 1, sha256: "ab".repeat(32) };
        const manifestHash = "cd".repeat(32);
        return { versionId: crypto.randomUUID(), manifestHash, createdAtMs: 1, replacedAtMs: 2, blob };
      });
      const filling = "x".repeat(MAX_METADATA_BYTES - JSON.stringify({ filling: "" }).length);
      const next = { ...record("b1"), metadata: { filling }, versions };
      const revision = await create(records, backupId, { next });
      const setAside = stateOf(clock, next);
      const deletion = { backupId, expect: { revision }, next: null, setAside };
      expect(await records.commit(deletion)).toBe("committed");
      expect(await records.readDeleted(backupId)).toEqual([setAside]);
    });

    test("the largest reset fits one transaction", async () => {
      await using store = await openProxiedRecords();
      const { records, clock } = store;
      const factors = Array.from({ length: 35 }, (_, index) => main(`f${index}`));
      const states = Array.from({ length: MAX_FORGOTTEN }, () =>
        stateOf(clock, { deletionId: crypto.randomUUID() }),
      );
      for (const setAside of states)
        await records.commit({ backupId: "b1", expect: "absent", next: null, setAside });
      const revision = await create(records, "b1", { claim: factors });
      const blobs = Array.from(
        { length: 2_500 },
        (_, index) => record(`blob ${index} ${"x".repeat(100)}`).blob,
      );
      const change: Change = {
        backupId: "b1",
        expect: { revision },
        next: null,
        consume: [once("n1", clock), once("n2", clock)],
        release: factors,
        forget: states,
        collect: { blobs, logIds: ["log", "another log"] },
        events: [eventOf(clock, { logId: null, deliverFromMs: clock.nowMs() })],
      };
      expect(await records.commit(change)).toBe("committed");
      expect(await records.readDeleted("b1")).toEqual([]);
      const listed = await collect(records.listDeleted());
      expect(listed.flatMap((each) => each.blobs.map(({ key }) => key)).sort()).toEqual(
        blobs.map(({ key }) => key).sort(),
      );
    });
  });

  describe("calls for the history", () => {
    test("a read of events is one call, and of later pages two at a time", async () => {
      await using store = await openProxiedRecords();
      const events = Array.from({ length: 3 }, () => eventOf(store.clock));
      await store.records.consume([], undefined, events);
      store.proxy.clear();
      const { next } = await store.records.readEvents("log", { before: null, limit: 2 });
      await store.records.readEvents("log", { before: next, limit: 2 });
      expect(sent(store)).toEqual(["TransactWriteItems", "Query", "Query", "Query"]);
    });

    test("surplus events are never shown, and are deleted when their log is swept", async () => {
      await using store = await openProxiedRecords();
      const { records, clock } = store;
      const events = Array.from({ length: MAX_EVENTS + 340 }, () => eventOf(clock));
      for (let at = 0; at < events.length; at += 60)
        await records.consume([], undefined, events.slice(at, at + 60));
      const visible = events.slice(-MAX_EVENTS).map(({ id }) => id);

      const read = async () => {
        const ids: string[] = [];
        let before: string | null = null;
        do {
          const page = await records.readEvents("log", { before, limit: 300 });
          ids.unshift(...page.events.map(({ id }) => id).reverse());
          before = page.next;
        } while (before !== null);
        return ids;
      };
      expect(await read()).toEqual(visible);
      const beyond = { before: visible[0] ?? "", limit: 100 };
      expect(await records.readEvents("log", beyond)).toEqual({ events: [], next: null });

      // one of 64 events notes its log
      expect(await records.countExpired()).toBe(340);
      expect(await records.sweepExpired()).toBe(340);
      expect([await records.countExpired(), await records.sweepExpired()]).toEqual([0, 0]);
      expect(await read()).toEqual(visible);
    });

    test("a blob of a state that is forgotten during a listing is listed all the same", async () => {
      await using store = await openProxiedRecords();
      const { records, clock } = store;
      const states = Array.from({ length: 20 }, (_, index) => ({
        backupId: `b${index}`,
        state: stateOf(clock, record(`b${index}`)),
      }));
      const absent = { expect: "absent", next: null } as const;
      for (const { backupId, state } of states)
        await records.commit({ backupId, ...absent, setAside: state });
      const seen = new Set<string>();
      for await (const { blobs } of records.listDeleted()) {
        if (seen.size === 0)
          for (const { backupId, state } of states)
            await records.commit({
              backupId,
              ...absent,
              forget: [state],
              collect: { blobs: [state.blob], logIds: [] },
            });
        for (const { key } of blobs) seen.add(key);
      }
      expect(seen.size).toBe(20);
    });

    test("a state that could not be taken or deleted stays to be collected", async () => {
      await using store = await openProxiedRecords();
      const { records, proxy, clock } = store;
      const revision = await create(records, "b1");
      await records.commit({ backupId: "b1", expect: { revision }, next: null, setAside: stateOf(clock) });
      clock.advance(HOUR_MS + COLLECTED_AFTER_MS);
      const [due] = await records.collection.due(10);
      if (due === undefined) throw new Error("nothing is due");
      const refuse = (operation: string) =>
        proxy.inject(
          { kind: "refuse", answer: dynamoDbError(400, "AccessDeniedException") },
          1,
          ({ headers }) => String(headers["x-amz-target"]).endsWith(`.${operation}`),
        );
      refuse("UpdateItem");
      await expect(records.collection.take(due)).rejects.toBeInstanceOf(StorageUnavailable);
      expect(await records.collection.take(due)).toEqual([record("b1").blob]);
      refuse("DeleteItem");
      await expect(records.collection.settle(due)).rejects.toBeInstanceOf(StorageUnavailable);
      expect(await records.collection.due(10)).toEqual([due]);
      await records.collection.settle(due);
      expect(await itemsOf(store)).toEqual({});
    });

    test("one process at a time has the lease of the collection", async () => {
      await using store = await openProxiedRecords();
      const { records, clock } = store;
      const lease = (holder: string) => records.collection.lease(holder, clock.nowMs() + MINUTE_MS);
      const holders = await atOnce(20, (index) => lease(`process ${index}`));
      expect(holders.filter((isHolder) => isHolder)).toHaveLength(1);
      const [holder, another] = [`process ${holders.indexOf(true)}`, "another"];
      clock.advance(MINUTE_MS - 1);
      expect([await lease(another), await lease(holder), await lease(another)]).toEqual([false, true, false]);
      clock.advance(MINUTE_MS);
      expect([await lease(another), await lease(holder)]).toEqual([true, false]);
    });

    test("a lease that a wrong clock has taken for more than an hour is not waited for", async () => {
      await using store = await openProxiedRecords();
      const { records, clock } = store;
      const lease = (holder: string) => records.collection.lease(holder, clock.nowMs() + MINUTE_MS);
      const nowMs = clock.nowMs();
      for (const [aheadMs, isWrong] of [
        [HOUR_MS * 24 * 365, true],
        [HOUR_MS + 1, true],
        [HOUR_MS, false],
      ] as const) {
        clock.set(nowMs + aheadMs);
        expect(await lease("ahead")).toBe(true);
        clock.set(nowMs);
        expect(await lease("another")).toBe(isWrong);
      }
    });

    test("a change that leaves no ciphertext lists none, and one that leaves nothing writes nothing", async () => {
      await using store = await openProxiedRecords();
      const { records } = store;
      await create(records, "b1", { collect: { blobs: [], logIds: ["log"] } });
      await create(records, "b2", { collect: { blobs: [], logIds: [] } });
      expect(await collect(records.listDeleted())).toEqual([]);
      expect((await records.collection.due(10)).map(({ backupId }) => backupId)).toEqual(["b1"]);
    });

    test("events that expired are left out of a page, and do not end it", async () => {
      await using store = await openProxiedRecords();
      const { records, clock } = store;
      const events = Array.from({ length: 20 }, (_, index) =>
        eventOf(clock, index % 5 === 0 ? {} : { expiresAtMs: clock.nowMs() + 1 }),
      );
      await records.consume([], undefined, events);
      clock.advance(1);
      const live = events.filter((_, index) => index % 5 === 0).map(({ id }) => id);
      const { events: shown, next } = await records.readEvents("log", { before: null, limit: 3 });
      expect(shown.map(({ id }) => id)).toEqual(live.slice(1).reverse());
      const last = await records.readEvents("log", { before: next, limit: 3 });
      expect({ ids: last.events.map(({ id }) => id), next: last.next }).toEqual({
        ids: live.slice(0, 1),
        next: null,
      });
    });
  });
}
