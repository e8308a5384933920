/** What is written alone takes no transaction, and is as safe as in one. */
import { describe, expect, test } from "bun:test";
import {
  type Change,
  type Consumption,
  isUnchanged,
  StorageUnavailable,
} from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import { dynamoDbError } from "../support/dynamodb-proxy.ts";
import { atOnce, create, labelOf, MINUTE_MS, main, once, record, revisionOf, token } from "./fixture.ts";
import { openProxiedRecords, SHORT_PAUSES } from "./proxied-records.ts";

/** Gives up soon an attempt that is held. */
const IMPATIENT = { ...SHORT_PAUSES, attemptMs: 1_000 };

async function openFixture(retry = SHORT_PAUSES) {
  const opened = await openProxiedRecords(retry);
  const seen = (operation: string) =>
    opened.proxy.seen.filter((line) => line.endsWith(`.${operation}`)).length;
  return { ...opened, seen };
}

const required = (consumption: Consumption | null): Consumption => {
  if (consumption === null) throw new Error("the nonce was consumed before");
  return consumption;
};

if (DRIVERS.some((driver) => driver.name === "aws")) {
  describe("a nonce that is consumed by itself", () => {
    test("takes one write and no transaction, and its release one more", async () => {
      await using store = await openFixture();
      const nonce = once("n1", store.clock);
      await required(await store.records.consume([nonce, nonce])).release();
      expect(store.proxy.seen).toEqual([
        "POST DynamoDB_20120810.PutItem",
        "POST DynamoDB_20120810.UpdateItem",
      ]);
    });

    test("takes a transaction together with another nonce or a token", async () => {
      await using store = await openFixture();
      await store.records.consume([once("n1", store.clock), once("n2", store.clock)]);
      await store.records.consume([once("n3", store.clock)], token("t1", "b1", store.clock));
      expect([store.seen("PutItem"), store.seen("TransactWriteItems")]).toEqual([0, 2]);
    });

    test("is consumed by the call whose responses were lost, and by no other", async () => {
      await using store = await openFixture();
      const nonce = once("n1", store.clock);
      store.proxy.inject({ kind: "drop answer" }, 3);
      const consumption = required(await store.records.consume([nonce]));
      expect(store.seen("PutItem")).toBe(4);
      expect(await store.healthy.consume([nonce])).toBeNull();
      expect(await store.records.consume([nonce])).toBeNull();
      await consumption.release();
      required(await store.healthy.consume([nonce]));
    });

    test("is not consumed where a rival was faster than the second attempt", async () => {
      await using store = await openFixture();
      const nonce = once("n1", store.clock);
      store.proxy.inject({ kind: "drop request" });
      store.proxy.inject({ kind: "hold" });
      const consuming = store.records.consume([nonce]);
      required(await store.healthy.consume([nonce]));
      store.proxy.clear();
      expect(await consuming).toBeNull();
    });

    test("is consumed by one of many calls at once, through lost responses", async () => {
      await using store = await openFixture();
      const nonce = once("n1", store.clock);
      store.proxy.inject({ kind: "drop answer" }, 10);
      const outcomes = await atOnce(10, (index) =>
        (index % 2 === 0 ? store.records : store.healthy).consume([nonce]),
      );
      expect(outcomes.filter((outcome) => outcome !== null)).toHaveLength(1);
    });

    test("stays released when an attempt to consume it arrives after its release", async () => {
      await using store = await openFixture(IMPATIENT);
      const nonce = once("n1", store.clock);
      store.proxy.inject({ kind: "hold" });
      await required(await store.records.consume([nonce])).release();
      store.proxy.clear();
      await store.proxy.settled();
      expect(store.seen("PutItem")).toBeGreaterThan(1);
      expect(await store.healthy.isConsumed([nonce])).toBe(false);
      required(await store.healthy.consume([nonce]));
    });

    test("stays another's when an attempt arrives after its release", async () => {
      await using store = await openFixture(IMPATIENT);
      const nonce = once("n1", store.clock);
      store.proxy.inject({ kind: "hold" });
      await required(await store.records.consume([nonce])).release();
      const later = required(await store.healthy.consume([nonce]));
      store.proxy.clear();
      await store.proxy.settled();
      await later.release(); // only its own
      expect(await store.healthy.isConsumed([nonce])).toBe(false);
    });

    test("can be consumed by a commit after its release, and is not released after that", async () => {
      await using store = await openFixture();
      const nonce = once("n1", store.clock);
      const consumption = required(await store.records.consume([nonce]));
      await consumption.release();
      await create(store.records, "b1", { consume: [nonce] });
      await consumption.release();
      expect(await store.records.isConsumed([nonce])).toBe(true);
      expect(await store.records.consume([nonce])).toBeNull();
    });

    test("is released for a call that was made before", async () => {
      // the clock of another process may be behind that of the one that released
      await using store = await openFixture();
      const nonce = once("n1", store.clock);
      store.clock.advance(MINUTE_MS / 2);
      await required(await store.records.consume([nonce])).release();
      store.clock.advance(-MINUTE_MS / 4);
      required(await store.records.consume([nonce]));
    });

    test("is never sent when it has expired before it could be sent again", async () => {
      await using store = await openFixture();
      const nonce = once("n1", store.clock);
      store.proxy.inject({ kind: "drop request" }, 1, () => {
        store.clock.advance(MINUTE_MS);
        return true;
      });
      await expect(store.records.consume([nonce])).rejects.toThrow("the change could not be stored");
      expect(store.seen("PutItem")).toBe(1);
    });
  });

  describe("a record that changes by itself", () => {
    test("takes one write and no transaction", async () => {
      await using store = await openFixture();
      const revision = await create(store.healthy, "b1");
      const change: Change = { backupId: "b1", expect: { revision }, next: record("next") };
      expect(await store.records.commit(change)).toBe("committed");
      expect(await store.records.commit(change)).toBe("revision");
      expect(store.proxy.seen).toEqual(Array.from({ length: 2 }, () => "POST DynamoDB_20120810.PutItem"));
      expect(await labelOf(store.healthy, "b1")).toBe("next");
    });

    test("takes a transaction together with anything else, and to be created or deleted", async () => {
      await using store = await openFixture();
      const revision = await create(store.healthy, "b1");
      const change: Change = { backupId: "b1", expect: { revision }, next: record("next") };
      await store.records.commit({ ...change, claim: [main("f1")] });
      await create(store.records, "b2");
      const expect2 = { revision: await revisionOf(store.healthy, "b2") };
      await store.records.commit({ backupId: "b2", expect: expect2, next: null });
      expect([store.seen("PutItem"), store.seen("TransactWriteItems")]).toEqual([0, 3]);
    });

    test("is committed by the call whose responses were lost", async () => {
      await using store = await openFixture();
      const revision = await create(store.healthy, "b1");
      store.proxy.inject({ kind: "drop answer" }, 3);
      const change: Change = { backupId: "b1", expect: { revision }, next: record("next") };
      expect(await store.records.commit(change)).toBe("committed");
      expect(store.seen("PutItem")).toBe(4);
      expect(await store.records.commit(change)).toBe("revision");
    });

    test("may have been committed where its first response was lost and its second is a conflict", async () => {
      await using store = await openFixture();
      const revision = await create(store.healthy, "b1");
      store.proxy.inject({ kind: "drop answer" });
      store.proxy.inject({ kind: "refuse", answer: dynamoDbError(400, "ConditionalCheckFailedException") });
      const change: Change = { backupId: "b1", expect: { revision }, next: record("next") };
      const outcome: unknown = await store.records.commit(change).catch((error: unknown) => error);
      expect([outcome instanceof StorageUnavailable, isUnchanged(outcome)]).toEqual([true, false]);
      expect(await labelOf(store.healthy, "b1")).toBe("next");
    });

    test("is no change where a rival was faster", async () => {
      await using store = await openFixture();
      const revision = await create(store.healthy, "b1");
      const rivals = await atOnce(10, (index) =>
        (index % 2 === 0 ? store.records : store.healthy).commit({
          backupId: "b1",
          expect: { revision },
          next: record(`by ${index}`),
        }),
      );
      expect(rivals.filter((outcome) => outcome === "committed")).toHaveLength(1);
      expect(await labelOf(store.healthy, "b1")).toBe(`by ${rivals.indexOf("committed")}`);
    });

    test("stays as a later commit has left it when an attempt arrives after that", async () => {
      await using store = await openFixture(IMPATIENT);
      const revision = await create(store.healthy, "b1");
      store.proxy.inject({ kind: "hold" });
      const change: Change = { backupId: "b1", expect: { revision }, next: record("next") };
      expect(await store.records.commit(change)).toBe("committed");
      const later = { revision: await revisionOf(store.healthy, "b1") };
      await store.healthy.commit({ backupId: "b1", expect: later, next: record("later") });
      store.proxy.clear();
      await store.proxy.settled();
      expect(await labelOf(store.healthy, "b1")).toBe("later");
    });
  });
}
