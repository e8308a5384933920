/** What the aws driver returns when its stores fail: the right result, or StorageUnavailable. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { systemRandom } from "../../src/runtime/clock.ts";
import { openAwsBlobs } from "../../src/storage/aws/blobs.ts";
import { openAwsRecords } from "../../src/storage/aws/records.ts";
import { StorageUnavailable } from "../../src/storage/contract.ts";
import type { InspectableBlobs, InspectableRecords } from "../../src/storage/inspection.ts";
import { DRIVERS } from "../drivers.ts";
import { LONG_RETRIES, newAwsStorage } from "../support/aws-storage.ts";
import { DYNAMODB_FAULTS, TRANSACTION_FAULTS } from "../support/dynamodb-proxy.ts";
import { type Fault, type FaultProxy, startFaultProxy } from "../support/fault-proxy.ts";
import { S3_FAULTS, UPLOAD_FAULTS } from "../support/s3-proxy.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { BLOB_CASES, type FaultCase, RECORD_CASES } from "./aws-fault-cases.ts";
import { HISTORY_CASES } from "./aws-history-cases.ts";

/** Time for everything, also on a busy machine. */
const LONG_BUDGET = { ...LONG_RETRIES, firstPauseMs: 5, maxPauseMs: 40 };
/** For faults without a response: time for many attempts. */
const SHORT_ATTEMPTS = { ...LONG_BUDGET, attemptMs: 400 };
/** For faults that never end: the driver gives up soon. */
const SHORT_BUDGET = { ...LONG_BUDGET, budgetMs: 250, attemptMs: 150 };

type AwsStorage = Awaited<ReturnType<typeof newAwsStorage>>;

if (DRIVERS.some((driver) => driver.name === "aws")) {
  describe("records on an unreliable DynamoDB", () => {
    let storage: AwsStorage;
    let proxy: FaultProxy;
    let patient: InspectableRecords;
    let hurried: InspectableRecords;
    let givingUp: InspectableRecords;
    let healthy: InspectableRecords;
    const clock = new SettableClock();

    beforeAll(async () => {
      storage = await newAwsStorage();
      proxy = await startFaultProxy(storage.config.dynamoDbEndpoint ?? "");
      const options = { clock, random: systemRandom };
      const config = { ...storage.config, dynamoDbEndpoint: proxy.url };
      patient = await openAwsRecords(config, { ...options, retry: LONG_BUDGET });
      hurried = await openAwsRecords(config, { ...options, retry: SHORT_ATTEMPTS });
      givingUp = await openAwsRecords(config, { ...options, retry: SHORT_BUDGET });
      healthy = await openAwsRecords(storage.config, { ...options, retry: LONG_BUDGET });
    });
    afterAll(async () => {
      for (const resource of [patient, hurried, givingUp, healthy, proxy, storage])
        await resource[Symbol.asyncDispose]();
    });

    const cases = [...RECORD_CASES, ...HISTORY_CASES];
    const reads = cases.filter((each) => !each.writes);
    const writes = cases.filter((each) => each.writes);
    const context = () => ({ proxy, patient, hurried, givingUp, healthy, clock });
    for (const [name, fault] of Object.entries(DYNAMODB_FAULTS))
      faultTests(name, fault, [...reads, ...writes], context);
    for (const [name, fault] of Object.entries(TRANSACTION_FAULTS)) faultTests(name, fault, writes, context);
  });

  describe("blobs on an unreliable S3", () => {
    let storage: AwsStorage;
    let proxy: FaultProxy;
    let patient: InspectableBlobs;
    let hurried: InspectableBlobs;
    let givingUp: InspectableBlobs;
    let healthy: InspectableBlobs;
    const clock = new SettableClock();

    beforeAll(async () => {
      storage = await newAwsStorage();
      proxy = await startFaultProxy(storage.config.s3Endpoint ?? "");
      const options = { random: systemRandom };
      const config = { ...storage.config, s3Endpoint: proxy.url };
      patient = await openAwsBlobs(config, { ...options, retry: LONG_BUDGET });
      hurried = await openAwsBlobs(config, { ...options, retry: SHORT_ATTEMPTS });
      givingUp = await openAwsBlobs(config, { ...options, retry: SHORT_BUDGET });
      healthy = await openAwsBlobs(storage.config, { ...options, retry: LONG_BUDGET });
    });
    afterAll(async () => {
      for (const resource of [patient, hurried, givingUp, healthy, proxy, storage])
        await resource[Symbol.asyncDispose]();
    });

    const uploads = BLOB_CASES.filter((each) => each.name.startsWith("putting"));
    const context = () => ({ proxy, patient, hurried, givingUp, healthy, clock });
    for (const [name, fault] of Object.entries(S3_FAULTS)) faultTests(name, fault, BLOB_CASES, context);
    for (const [name, fault] of Object.entries(UPLOAD_FAULTS)) faultTests(name, fault, uploads, context);
  });
}

interface Context<Store> {
  readonly proxy: FaultProxy;
  readonly patient: Store;
  readonly hurried: Store;
  readonly givingUp: Store;
  readonly healthy: Store;
  readonly clock: SettableClock;
}

function faultTests<Store>(
  name: string,
  given: Fault,
  cases: readonly FaultCase<Store>[],
  context: () => Context<Store>,
): void {
  const fault = given.kind === "delay" ? { ...given, ms: 1.5 * SHORT_ATTEMPTS.attemptMs } : given;
  const hasNoResponse = fault.kind === "delay" || fault.kind === "stall answer";
  for (const each of cases)
    test(`${each.name}, after ${name}: the right result`, async () => {
      const { proxy, patient, hurried, healthy, clock } = context();
      const store = hasNoResponse ? hurried : patient;
      // the request that meets the fault is sent again, so that there is one more than usual
      for (let [nth, requests] = [1, 2]; nth < requests; nth++) {
        const prepared = await each.prepare(healthy, crypto.randomUUID(), clock);
        proxy.clear();
        const before = proxy.seen.length;
        proxy.inject(fault, 1, () => proxy.seen.length === before + nth);
        const outcome = await outcomeOf(() => prepared.run(store));
        requests = proxy.seen.length - before;
        proxy.clear();
        await proxy.settled();
        if (outcome === UNAVAILABLE) expect(each.mayBreakMidway).toBe(true);
        else expect(outcome).toEqual(prepared.result);
        expect(await prepared.state(healthy)).toEqual(prepared.after);
      }
    });

  // all at once, since each takes as long as the budget allows
  test(`with no end of ${name} no method returns a wrong result, and nothing is half done`, async () => {
    const { proxy, givingUp, healthy, clock } = context();
    proxy.clear();
    const all = await Promise.all(cases.map((each) => each.prepare(healthy, crypto.randomUUID(), clock)));
    proxy.inject(fault, Number.POSITIVE_INFINITY);
    const outcomes = await Promise.all(all.map((prepared) => outcomeOf(() => prepared.run(givingUp))));
    proxy.clear();
    proxy.inject({ kind: "drop request" }, Number.POSITIVE_INFINITY); // on a busy machine some arrive only now
    await proxy.settled();
    for (const [index, prepared] of all.entries()) {
      const outcome = outcomes[index];
      const state = await prepared.state(healthy);
      if (outcome === UNAVAILABLE) expect([prepared.before, prepared.after]).toContainEqual(state);
      else expect({ outcome, state }).toEqual({ outcome: prepared.result, state: prepared.after });
    }
  });
}

const UNAVAILABLE = Symbol("unavailable");

async function outcomeOf(run: () => Promise<unknown>): Promise<unknown> {
  try {
    return await run();
  } catch (error) {
    expect(error).toBeInstanceOf(StorageUnavailable);
    return UNAVAILABLE;
  }
}
