/** Creations that claim more index rows than a transaction of DynamoDB takes. */
import { describe, expect, test } from "bun:test";
import { instantOf, systemRandom } from "../../src/runtime/clock.ts";
import { openAwsRecords } from "../../src/storage/aws/records.ts";
import { type Change, type Conflict, isUnchanged, StorageUnavailable } from "../../src/storage/contract.ts";
import type { InspectableRecords } from "../../src/storage/inspection.ts";
import { DRIVERS } from "../drivers.ts";
import { dynamoDbError } from "../support/dynamodb-proxy.ts";
import { type Fault, type FaultProxy, startFaultProxy } from "../support/fault-proxy.ts";
import { backupOf, collect, MINUTE_MS, main, once, record, revisionOf } from "./fixture.ts";
import { openProxiedRecords, type ProxiedRecords, SHORT_PAUSES } from "./proxied-records.ts";

/** For faults that never end. */
const SHORT = { ...SHORT_PAUSES, budgetMs: 500 };
const FACTORS = Array.from({ length: 100 }, (_, index) => main(`f${index}`));
const OUTAGE: Fault = { kind: "refuse", answer: dynamoDbError(500, "InternalServerError") };

/** What another process does that releases rows of the id. */
interface Releasing {
  readonly what: string;
  /** Its transaction that does not arrive before the record of the creation is about to be stored. */
  readonly held: number;
  readonly outcome: "committed" | Conflict;
  change(store: Awaited<ReturnType<typeof openFixture>>): Promise<Change>;
}

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

/**
 * Holds an operation from now on, and what follows, until the proxy is cleared.
 *
 * @returns waits until work is held, and fails where it ends without that.
 */
function holdFrom(proxy: FaultProxy, count: number, operation = "TransactWriteItems") {
  const held = Promise.withResolvers<void>();
  let left = count;
  proxy.inject({ kind: "hold" }, Number.POSITIVE_INFINITY, () => {
    if (proxy.seen.at(-1)?.endsWith(operation) === true) left -= 1;
    if (left <= 0) held.resolve();
    return left <= 0;
  });
  return (work: Promise<unknown>) =>
    Promise.race([held.promise, work.then(() => expect.unreachable("the work was not held"))]);
}

/** Another process on the same tables, which passes a proxy of its own. */
async function openOther({ storage: { config }, clock }: ProxiedRecords) {
  const proxy = await startFaultProxy(config.dynamoDbEndpoint ?? "");
  const records = await openAwsRecords(
    { ...config, dynamoDbEndpoint: proxy.url },
    { clock, random: systemRandom, retry: SHORT_PAUSES },
  );
  return {
    proxy,
    records,
    async [Symbol.asyncDispose]() {
      for (const resource of [records, proxy]) await resource[Symbol.asyncDispose]();
    },
  };
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

    describe("has them all, though before its record is stored one is released by", () => {
      test("the doctor", async () => {
        await using store = await openFixture();
        const held = holdFrom(store.proxy, 3);
        const creating = store.records.commit(store.creation);
        await held(creating);
        // as the repair of a row without a backup
        const repair: Change = { backupId: "b1", expect: "absent", next: null, release: [main("f50")] };
        expect(await store.healthy.commit(repair)).toBe("committed");
        store.proxy.clear();
        expect(await creating).toBe("committed");
        expect(await rowsOf(store.healthy)).toBe(100);
      });

      const others: readonly Releasing[] = [
        {
          what: "the end of a deletion",
          held: 2,
          outcome: "committed",
          async change({ creation: { consume: _none, ...creation }, healthy }) {
            expect(await healthy.commit(creation)).toBe("committed");
            const expected = { revision: await revisionOf(healthy, "b1") };
            return { backupId: "b1", expect: expected, next: null, release: FACTORS };
          },
        },
        {
          what: "a creation of the same id that fails",
          held: 3,
          outcome: "consumed",
          async change({ creation, healthy, clock }) {
            const consumed = once("n2", clock);
            await healthy.consume([consumed]);
            return { ...creation, consume: [consumed] };
          },
        },
      ];
      for (const { what, held, outcome, change } of others)
        test(what, async () => {
          await using store = await openFixture();
          await using other = await openOther(store);
          const changed = await change(store);
          const otherHeld = holdFrom(other.proxy, held);
          const changing = other.records.commit(changed);
          await otherHeld(changing);
          const creationHeld = holdFrom(store.proxy, 3);
          const creating = store.records.commit(store.creation);
          await creationHeld(creating);
          other.proxy.clear();
          expect(await changing).toBe(outcome);
          expect(await rowsOf(store.healthy)).toBe(0);
          store.proxy.clear();
          expect(await creating).toBe("committed");
          expect(await rowsOf(store.healthy)).toBe(100);
        });
    });

    test("adds a row again without a change of the record that others have read", async () => {
      await using store = await openFixture();
      const held = holdFrom(store.proxy, 3);
      const creating = store.records.commit(store.creation);
      await held(creating);
      const repair: Change = { backupId: "b1", expect: "absent", next: null, release: [main("f50")] };
      expect(await store.healthy.commit(repair)).toBe("committed");
      store.proxy.clear();
      const heldAgain = holdFrom(store.proxy, 1, "BatchGetItem");
      await heldAgain(creating);
      const stored = await store.healthy.read("b1");
      store.clock.advance(MINUTE_MS);
      store.proxy.clear();
      expect(await creating).toBe("committed");
      expect(await backupOf(store.healthy, main("f50"))).toBe("b1");
      expect(await store.healthy.read("b1")).toEqual(stored);
    });

    test("does not bring back the row of a factor that another change removes meanwhile", async () => {
      await using store = await openFixture();
      // the read of the rows after the record was stored: the first two come before
      const held = holdFrom(store.proxy, 3, "BatchGetItem");
      const creating = store.records.commit(store.creation).catch((error: unknown) => error);
      await held(creating);
      const expected = { revision: await revisionOf(store.healthy, "b1") };
      const removal = { backupId: "b1", expect: expected, next: record("b1"), release: [main("f50")] };
      expect(await store.healthy.commit(removal)).toBe("committed");
      store.proxy.clear();
      const outcome = await creating;
      expect([outcome instanceof StorageUnavailable, isUnchanged(outcome)]).toEqual([true, false]);
      expect(await backupOf(store.healthy, main("f50"))).toBeNull();
    });
  });
