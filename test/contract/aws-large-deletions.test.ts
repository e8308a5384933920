/** Deletions that release more index rows than a transaction of DynamoDB takes. */
import { describe, expect, test } from "bun:test";
import { type Change, type FactorRef, isUnchanged, StorageUnavailable } from "../../src/storage/contract.ts";
import type { InspectableRecords } from "../../src/storage/inspection.ts";
import { DRIVERS } from "../drivers.ts";
import { dynamoDbError } from "../support/dynamodb-proxy.ts";
import type { Fault } from "../support/fault-proxy.ts";
import { backupOf, collect, create, main, once, record, revisionOf } from "./fixture.ts";
import { openProxiedRecords, SHORT_PAUSES } from "./proxied-records.ts";

/** For faults that never end. */
const SHORT = { ...SHORT_PAUSES, budgetMs: 500 };
const FACTORS = Array.from({ length: 70 }, (_, index) => main(`f${index}`));
/** In the second transaction. */
const LATE = main("f60");
const INTERNAL_ERROR: Fault = { kind: "refuse", answer: dynamoDbError(500, "InternalServerError") };

async function openFixture(retry = SHORT_PAUSES) {
  const opened = await openProxiedRecords(retry);
  const { proxy, healthy } = opened;
  const deletion = await backupWithMany(healthy);
  /** Applies a fault to the requests from the second of the deletion on. */
  const injectAfterFirst = (fault: Fault, times?: number) => {
    const before = proxy.seen.length;
    proxy.inject(fault, times, () => proxy.seen.length > before + 1);
  };
  return { ...opened, deletion, injectAfterFirst };
}

/** Stores a backup with all of the factors; returns its deletion. */
async function backupWithMany(records: InspectableRecords): Promise<Change> {
  await create(records, "b1", { claim: FACTORS.slice(0, 35) });
  const expected = { revision: await revisionOf(records, "b1") };
  const outcome = await records.commit({
    backupId: "b1",
    expect: expected,
    next: record("b1"),
    claim: FACTORS.slice(35),
  });
  expect(outcome).toBe("committed");
  const revision = await revisionOf(records, "b1");
  return { backupId: "b1", expect: { revision }, next: null, release: FACTORS };
}

async function listed(records: InspectableRecords): Promise<FactorRef[]> {
  return (await collect(records.listFactors())).map(({ factor }) => factor);
}

if (DRIVERS.some((driver) => driver.name === "aws"))
  describe("a deletion of many index rows", () => {
    test("takes two transactions", async () => {
      await using store = await openFixture();
      expect(await store.records.commit(store.deletion)).toBe("committed");
      expect(store.proxy.seen).toEqual(
        Array.from({ length: 2 }, () => "POST DynamoDB_20120810.TransactWriteItems"),
      );
      expect(await listed(store.healthy)).toEqual([]);
    });

    test("is made once through lost responses", async () => {
      await using store = await openFixture();
      store.proxy.inject({ kind: "drop answer" }, 1);
      store.proxy.inject({ kind: "delay", ms: 0 }, 1);
      store.proxy.inject({ kind: "drop answer" }, 1);
      const change = { ...store.deletion, consume: [once("n1", store.clock)] };
      expect(await store.records.commit(change)).toBe("committed");
      expect(store.proxy.seen).toHaveLength(4);
      expect(await listed(store.healthy)).toEqual([]);
    });

    for (const [name, fault] of Object.entries({
      "an outage": INTERNAL_ERROR,
      throttling: {
        kind: "refuse",
        answer: dynamoDbError(400, "ProvisionedThroughputExceededException"),
      },
    } as const))
      test(`may have been made where ${name} comes after its first transaction, and leaves stale rows`, async () => {
        await using store = await openFixture(SHORT);
        store.injectAfterFirst(fault, Number.POSITIVE_INFINITY);
        const outcome: unknown = await store.records.commit(store.deletion).catch((error: unknown) => error);
        expect([outcome instanceof StorageUnavailable, isUnchanged(outcome)]).toEqual([true, false]);
        expect(await store.healthy.read("b1")).toBeNull();
        const left = await listed(store.healthy);
        expect(left).toHaveLength(30);
        // as the doctor does
        const repair: Change = { backupId: "b1", expect: "absent", next: null, release: left };
        expect(await store.healthy.commit(repair)).toBe("committed");
        expect(await listed(store.healthy)).toEqual([]);
      });

    for (const first of [1, 40])
      test(`leaves rows that a creation of the same id takes over, of ${FACTORS.length - first} factors`, async () => {
        await using store = await openFixture(SHORT);
        store.injectAfterFirst(INTERNAL_ERROR, Number.POSITIVE_INFINITY);
        const outcome: unknown = await store.records.commit(store.deletion).catch((error: unknown) => error);
        expect(outcome).toBeInstanceOf(StorageUnavailable);
        store.proxy.clear();
        const claim = FACTORS.slice(first);
        await create(store.healthy, "b1", { claim });
        expect(await listed(store.healthy)).toHaveLength(claim.length);
      });

    test("leaves alone what a new backup of the same id claims after the rows were released", async () => {
      await using store = await openFixture();
      store.injectAfterFirst({ kind: "drop answer" });
      store.injectAfterFirst({ kind: "hold" });
      const deleting = store.records.commit(store.deletion);
      while ((await backupOf(store.healthy, LATE)) !== null);
      await create(store.healthy, "b1", { claim: [LATE] });
      store.proxy.clear();
      expect(await deleting).toBe("committed");
      await store.proxy.settled();
      expect(await backupOf(store.healthy, LATE)).toBe("b1");
      expect(await listed(store.healthy)).toHaveLength(1);
    });

    test("ends where a new backup of the same id comes between", async () => {
      await using store = await openFixture();
      store.injectAfterFirst({ kind: "hold" });
      const deleting = store.records.commit(store.deletion);
      while ((await store.healthy.read("b1")) !== null);
      await create(store.healthy, "b1", { claim: [main("f0")] });
      store.proxy.clear();
      expect(await deleting).toBe("committed");
      expect(await backupOf(store.healthy, main("f0"))).toBe("b1");
      expect(await listed(store.healthy)).toHaveLength(31);
    });

    test("changes nothing where it conflicts", async () => {
      await using store = await openFixture();
      const outdated = { ...store.deletion, expect: { revision: "outdated" } };
      expect(await store.records.commit(outdated)).toBe("revision");
      expect(store.proxy.seen).toHaveLength(1);
      expect(await listed(store.healthy)).toHaveLength(70);
    });
  });
