/** Commits and consumptions that fail on DynamoDB: whether it is known that nothing was changed. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { instantOf, systemRandom } from "../../src/runtime/clock.ts";
import type { Nonce } from "../../src/runtime/nonce.ts";
import { openAwsRecords } from "../../src/storage/aws/records.ts";
import {
  type Change,
  ChangeRefused,
  isUnchanged,
  NotCommitted,
  type RecordStore,
  StorageUnavailable,
} from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import { LONG_RETRIES, newAwsStorage } from "../support/aws-storage.ts";
import { cancelledTransaction, dynamoDbError } from "../support/dynamodb-proxy.ts";
import { type Fault, type FaultProxy, startFaultProxy } from "../support/fault-proxy.ts";
import { freePort } from "../support/free-port.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { create, main, once, record } from "./fixture.ts";

const SHORT_BUDGET = { budgetMs: 250, attemptMs: 150, firstPauseMs: 5, maxPauseMs: 40 };
const ENDLESS = Number.POSITIVE_INFINITY;

const refused = (...codes: string[]): Fault => ({ kind: "refuse", answer: cancelledTransaction(...codes) });
const failed = (status: number, name: string): Fault => ({
  kind: "refuse",
  answer: dynamoDbError(status, name),
});

const KNOWN: Readonly<Record<string, Fault>> = {
  "throttling of the table": failed(400, "ProvisionedThroughputExceededException"),
  "throttling of a step": refused("ThrottlingError"),
  "a conflict with another transaction": refused("TransactionConflict"),
  "a cancellation without a reason": refused(),
  "a cancellation for no reason": refused("None"),
  "missing permissions": failed(400, "AccessDeniedException"),
  "a missing table": failed(400, "ResourceNotFoundException"),
  "an item that is too large": failed(400, "ValidationException"),
  "an item that is too large, in a transaction": refused("ValidationError"),
};
/** As {@link KNOWN}, of a write without a transaction. */
const KNOWN_OF_A_WRITE: Readonly<Record<string, Fault>> = {
  "throttling of the table": failed(400, "ProvisionedThroughputExceededException"),
  "throttling of the account": failed(400, "ThrottlingException"),
  "a conflict with a transaction": failed(400, "TransactionConflictException"),
  "missing permissions": failed(400, "AccessDeniedException"),
  "a missing table": failed(400, "ResourceNotFoundException"),
  "an item that is too large": failed(400, "ValidationException"),
};
/** The error that says so. What is too large is so at every attempt. */
const errorFor = (fault: string) =>
  fault.startsWith("an item that is too large") ? ChangeRefused : NotCommitted;
const IN_DOUBT: Readonly<Record<string, Fault>> = {
  "an internal error": failed(500, "InternalServerError"),
  "a transaction that is still in progress": failed(400, "TransactionInProgressException"),
  "a connection closed before the response": { kind: "drop answer" },
  "a connection closed before the request": { kind: "drop request" },
  "no response in time": { kind: "delay", ms: 200 },
};

if (DRIVERS.some((driver) => driver.name === "aws"))
  describe("a commit that fails", () => {
    let storage: Awaited<ReturnType<typeof newAwsStorage>>;
    let proxy: FaultProxy;
    let records: RecordStore;
    /** Waits for a response however slow the machine is. */
    let patient: RecordStore;
    /** Waits as long, and sends again until there is a response. */
    let tireless: RecordStore;
    /** Sends again until there is a response, and waits for none for long. */
    let persistent: RecordStore;
    /** On the same tables, without the proxy. */
    let healthy: RecordStore;
    const clock = new SettableClock();
    const options = { clock, random: systemRandom, retry: SHORT_BUDGET };

    beforeAll(async () => {
      storage = await newAwsStorage();
      proxy = await startFaultProxy(storage.config.dynamoDbEndpoint ?? "");
      records = await openAwsRecords({ ...storage.config, dynamoDbEndpoint: proxy.url }, options);
      patient = await openAwsRecords(
        { ...storage.config, dynamoDbEndpoint: proxy.url },
        { ...options, retry: { ...SHORT_BUDGET, attemptMs: 60_000 } },
      );
      tireless = await openAwsRecords(
        { ...storage.config, dynamoDbEndpoint: proxy.url },
        { ...options, retry: { ...SHORT_BUDGET, ...LONG_RETRIES } },
      );
      persistent = await openAwsRecords(
        { ...storage.config, dynamoDbEndpoint: proxy.url },
        { ...options, retry: { ...SHORT_BUDGET, attemptMs: 1_000, budgetMs: 120_000 } },
      );
      healthy = await openAwsRecords(storage.config, { ...options, retry: LONG_RETRIES });
    });
    afterAll(async () => {
      for (const resource of [records, patient, tireless, persistent, healthy, proxy, storage])
        await resource[Symbol.asyncDispose]();
    });

    const newChange = (): Change => ({
      backupId: crypto.randomUUID(),
      expect: "absent",
      next: record("new"),
      newBlobSince: instantOf(clock),
    });

    type Faults = readonly (readonly [Fault, times: number])[];

    const failureOf = (change: Change, ...faults: Faults) => failure(() => records.commit(change), ...faults);

    async function failure(act: () => Promise<unknown>, ...faults: Faults) {
      proxy.clear();
      for (const [fault, times] of faults) proxy.inject(fault, times);
      const outcome = await act().catch((error: unknown) => error);
      proxy.clear();
      await proxy.settled();
      expect(outcome).toBeInstanceOf(Error);
      return outcome;
    }

    for (const [name, fault] of Object.entries(KNOWN))
      test(`for ${name} has changed nothing`, async () => {
        const commit = () => patient.commit(newChange());
        expect(await failure(commit, [fault, ENDLESS])).toBeInstanceOf(errorFor(name));
      });

    for (const [name, fault] of Object.entries(IN_DOUBT)) {
      test(`for ${name} may have been made`, async () => {
        const outcome = await failureOf(newChange(), [fault, ENDLESS]);
        expect(outcome).toBeInstanceOf(StorageUnavailable);
        expect(isUnchanged(outcome)).toBe(false);
      });

      test(`for throttling after ${name} may have been made`, async () => {
        const throttled = KNOWN["throttling of the table"] ?? fault;
        expect(isUnchanged(await failureOf(newChange(), [fault, 1], [throttled, ENDLESS]))).toBe(false);
      });
    }

    /** What takes no transaction, each ready to be called. */
    const LONE_WRITES: Readonly<Record<string, () => Promise<(store: RecordStore) => Promise<unknown>>>> = {
      "a consumption of one nonce": async () => (store) => store.consume([once(crypto.randomUUID(), clock)]),
      "an update of the record alone": async () => {
        const backupId = crypto.randomUUID();
        const revision = await create(healthy, backupId);
        return (store) => store.commit({ backupId, expect: { revision }, next: record("next") });
      },
    };
    describe.each(Object.entries(LONE_WRITES))("and so is %s:", (_name, prepare) => {
      for (const [name, fault] of Object.entries(KNOWN_OF_A_WRITE))
        test(`for ${name} it has changed nothing`, async () => {
          const write = await prepare();
          expect(await failure(() => write(patient), [fault, ENDLESS])).toBeInstanceOf(errorFor(name));
        });

      const { "an item that is too large": _refused, ...passing } = KNOWN_OF_A_WRITE;
      for (const [name, fault] of Object.entries(IN_DOUBT))
        for (const [later, then] of Object.entries({ "": fault, ...passing }))
          test(`for ${name}${later && `, then ${later},`} it may have been made`, async () => {
            const write = await prepare();
            const outcome = await failure(() => write(records), [fault, 1], [then, ENDLESS]);
            expect(outcome).toBeInstanceOf(StorageUnavailable);
            expect(isUnchanged(outcome)).toBe(false);
          });
    });

    test("for a connection that is refused has changed nothing", async () => {
      const nowhere = { ...storage.config, dynamoDbEndpoint: `http://127.0.0.1:${freePort()}` };
      await using unreachable = await openAwsRecords(nowhere, options);
      expect(isUnchanged(await unreachable.commit(newChange()).catch((error: unknown) => error))).toBe(true);
    });

    test("without a response is not sent again when it is too late, and may have been made", async () => {
      const change = newChange();
      proxy.clear();
      const sent = proxy.seen.length;
      proxy.inject({ kind: "drop answer" }, 1, () => {
        clock.advance(60 * 60 * 1000);
        return true;
      });
      const outcome: unknown = await tireless.commit(change).catch((error: unknown) => error);
      await proxy.settled();
      expect(outcome).toBeInstanceOf(StorageUnavailable);
      expect(isUnchanged(outcome)).toBe(false);
      expect(proxy.seen.slice(sent)).toHaveLength(1);
      expect(await healthy.read(change.backupId)).toMatchObject(record("new"));
    });

    test("and conflicts long after an attempt without a response may have been made by that one", async () => {
      const conflict = refused("ConditionalCheckFailed", "None");
      for (const [minutes, isTrusted] of [
        [8, true],
        [10, false],
      ] as const) {
        proxy.clear();
        proxy.inject({ kind: "drop answer" }, 1, () => {
          clock.advance(minutes * 60_000);
          return true;
        });
        proxy.inject(conflict, ENDLESS);
        const consume = [{ id: crypto.randomUUID(), expiresAtMs: clock.nowMs() + 60 * 60 * 1000 }];
        const change: Change = {
          ...{ backupId: crypto.randomUUID(), expect: { revision: crypto.randomUUID() } },
          ...{ next: record("next"), consume },
        };
        const outcome: unknown = await tireless.commit(change).catch((error: unknown) => error);
        proxy.clear();
        await proxy.settled();
        if (isTrusted) expect(outcome).toBe("revision");
        else expect([outcome instanceof StorageUnavailable, isUnchanged(outcome)]).toEqual([true, false]);
      }
    });

    const other = () => crypto.randomUUID();
    test.each([
      ["exists", ({ backupId }: Change) => ({ backupId, claim: [main(other())] })],
      ["factor-claimed", ({ claim = [] }: Change) => ({ backupId: other(), claim })],
    ])(
      "and conflicts (%s) while an earlier attempt is under way may still be made",
      async (_name, rivalOf) => {
        const change = { ...newChange(), claim: [main(other())] };
        const rival = rivalOf(change);
        await healthy.commit({ ...rival, expect: "absent", next: record("rival") });
        proxy.clear();
        proxy.inject({ kind: "hold" });
        const outcome: unknown = await persistent.commit(change).catch((error: unknown) => error);
        expect([outcome instanceof StorageUnavailable, isUnchanged(outcome)]).toEqual([true, false]);

        const { revision = "" } = (await healthy.read(rival.backupId)) ?? {};
        await healthy.commit({
          ...{ backupId: rival.backupId, expect: { revision }, next: null, release: rival.claim },
        });
        proxy.clear();
        await proxy.settled();
        expect(await healthy.read(change.backupId)).toMatchObject(record("new"));
      },
    );

    test.each([
      ["consumed", (used: Nonce) => ({ consume: [used] })],
      ["revision", () => ({ expect: { revision: other() } })],
      ["not-kept", () => ({ bringBack: { deletionId: other(), deletedAtMs: 1 } })],
    ] as const)(
      "and conflicts for good (%s) was not made by an earlier attempt",
      async (conflict, partOf) => {
        const claim = [main(other())];
        const used = once(other(), clock);
        await create(healthy, other(), { claim, mark: [used] });
        proxy.clear();
        proxy.inject({ kind: "drop request" });
        const change: Change = { ...newChange(), claim, ...partOf(used) };
        expect<string>(await tireless.commit(change)).toBe(conflict);
        expect(await healthy.read(change.backupId)).toBeNull();
      },
    );

    test("because it comes too late is never sent", async () => {
      const change = newChange();
      clock.advance(60 * 60 * 1000);
      const sent = proxy.seen.length;
      const outcome = await failureOf(change);
      expect(outcome).toBeInstanceOf(NotCommitted);
      expect(String(outcome)).toContain("too late");
      expect(proxy.seen).toHaveLength(sent);
    });
  });
