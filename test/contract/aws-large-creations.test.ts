/** Creations that claim more index rows than a transaction of DynamoDB takes. */
import { describe, expect, test } from "bun:test";
import { instantOf } from "../../src/runtime/clock.ts";
import { type Change, isUnchanged, StorageUnavailable } from "../../src/storage/contract.ts";
import type { InspectableRecords } from "../../src/storage/inspection.ts";
import { DRIVERS } from "../drivers.ts";
import { dynamoDbError } from "../support/dynamodb-proxy.ts";
import type { Fault } from "../support/fault-proxy.ts";
import { collect, MINUTE_MS, main, once, record } from "./fixture.ts";
import { openProxiedRecords, SHORT_PAUSES } from "./proxied-records.ts";

/** For faults that never end. */
const SHORT = { ...SHORT_PAUSES, budgetMs: 500 };
const FACTORS = Array.from({ length: 100 }, (_, index) => main(`f${index}`));
const OUTAGE: Fault = { kind: "refuse", answer: dynamoDbError(500, "InternalServerError") };

async function openFixture(retry = SHORT_PAUSES) {
  const opened = await openProxiedRecords(retry);
  const { clock, proxy } = opened;
  const creation: Change = {
    backupId: "b1",
    expect: "absent",
    next: record("b1"),
    claim: FACTORS,
    consume: [once("n1", clock)],
  };
  /** Applies a fault to the transactions from one of the creation on: it has two of claims, then that of the record. */
  const injectFrom = (transaction: number, fault: Fault, times: number) => {
    let seen = 0;
    const isMeant = () => proxy.seen.at(-1)?.endsWith("TransactWriteItems") === true && ++seen >= transaction;
    proxy.inject(fault, times, isMeant);
  };
  return { ...opened, creation, injectFrom };
}

const rowsOf = async (records: InspectableRecords) => (await collect(records.listFactors())).length;

if (DRIVERS.some((driver) => driver.name === "aws"))
  describe("a creation of many index rows", () => {
    test("is made once through lost responses", async () => {
      await using store = await openFixture();
      store.injectFrom(1, { kind: "drop answer" }, 2);
      store.injectFrom(5, { kind: "drop answer" }, 1);
      expect(await store.records.commit(store.creation)).toBe("committed");
      expect(await rowsOf(store.healthy)).toBe(100);
    });

    test("leaves no row where it certainly was not made", async () => {
      await using store = await openFixture();
      const newBlobSince = instantOf(store.clock);
      store.clock.advance(60 * MINUTE_MS);
      const { consume: _none, ...creation } = store.creation;
      for (const change of [
        { ...creation, newBlobSince },
        { ...creation, next: record("b1", { filling: "x".repeat(410_000) }) },
      ]) {
        const outcome: unknown = await store.records.commit(change).catch((error: unknown) => error);
        expect(isUnchanged(outcome)).toBe(true);
        expect(await rowsOf(store.healthy)).toBe(0);
      }
    });

    for (const transaction of [1, 2, 3])
      test(`can be repeated where an outage came with its transaction ${transaction}`, async () => {
        await using store = await openFixture(SHORT);
        store.injectFrom(transaction, OUTAGE, Number.POSITIVE_INFINITY);
        const outcome: unknown = await store.records.commit(store.creation).catch((error: unknown) => error);
        expect([outcome instanceof StorageUnavailable, isUnchanged(outcome)]).toEqual([true, false]);
        expect(await store.healthy.read("b1")).toBeNull();
        expect(await rowsOf(store.healthy)).toBe(
          Math.min(transaction - 1, 2) * 40 - (transaction === 3 ? 20 : 0),
        );
        store.proxy.clear();
        expect(await store.records.commit(store.creation)).toBe("committed");
        expect(await rowsOf(store.healthy)).toBe(100);
      });
  });
