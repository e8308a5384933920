/** A machine whose clock is wrong costs no request, and the clock is reported to the operator. */
import { describe, expect, test } from "bun:test";
import { systemRandom } from "../../src/runtime/clock.ts";
import { openAwsBlobs } from "../../src/storage/aws/blobs.ts";
import { openAwsRecords } from "../../src/storage/aws/records.ts";
import { StorageUnavailable } from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import { newAwsStorage } from "../support/aws-storage.ts";
import { dynamoDbError, SIGNATURE_EXPIRED } from "../support/dynamodb-proxy.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";
import { CLOCK_SKEWED, s3Error } from "../support/s3-proxy.ts";
import { startService } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { recovered, userWithBackup } from "../support/users.ts";

const AHEAD_MS = 20 * 60_000;

async function openFixture() {
  const storage = await newAwsStorage();
  const s3 = await startFaultProxy(storage.config.s3Endpoint ?? "");
  const dynamoDb = await startFaultProxy(storage.config.dynamoDbEndpoint ?? "");
  const config = { ...storage.config, s3Endpoint: s3.url, dynamoDbEndpoint: dynamoDb.url };
  const messages: string[] = [];
  const options = {
    clock: new SettableClock(),
    random: systemRandom,
    onClockSkew: (message: string) => void messages.push(message),
  };
  const records = await openAwsRecords(config, options);
  const blobs = await openAwsBlobs(config, options);
  return {
    storage,
    s3,
    dynamoDb,
    messages,
    calls: {
      "a record": () => records.read("b1"),
      "a blob": () => blobs.get({ key: "b1/blobs/1", size: 1, sha256: "00" }),
      "the size of a blob": () => blobs.sizeOf("b1/blobs/1"),
    },
    async [Symbol.asyncDispose]() {
      for (const resource of [records, blobs, s3, dynamoDb, storage]) await resource[Symbol.asyncDispose]();
    },
  };
}

/** What an operator reads about a call that failed. */
async function causeOf(call: () => Promise<unknown>): Promise<string> {
  const error = await call().catch((error: unknown) => error);
  expect(error).toBeInstanceOf(StorageUnavailable);
  return error instanceof Error ? String(error.cause) : "";
}

if (DRIVERS.some((driver) => driver.name === "aws"))
  describe("a wrong clock", () => {
    for (const [aheadMs, message] of [
      [AHEAD_MS, "the clock of this machine is 20 minutes behind AWS's"],
      [-AHEAD_MS, "the clock of this machine is 20 minutes ahead of AWS's"],
    ] as const)
      for (const name of ["a record", "a blob", "the size of a blob"] as const)
        test(`costs one attempt to read ${name}, and is reported: ${message}`, async () => {
          await using store = await openFixture();
          const { s3, dynamoDb, messages, calls } = store;
          const always = Number.POSITIVE_INFINITY;
          s3.inject({ kind: "clock", aheadMs, refusal: CLOCK_SKEWED }, always);
          dynamoDb.inject({ kind: "clock", aheadMs, refusal: SIGNATURE_EXPIRED }, always);
          expect(await calls[name]()).toBeNull();
          expect(messages).toEqual([message]);
          const attempts = s3.seen.length + dynamoDb.seen.length;
          expect(await calls[name]()).toBeNull();
          // the first call had one attempt more
          expect(s3.seen.length + dynamoDb.seen.length).toBe(2 * attempts - 1);
          expect(messages).toHaveLength(1);
        });

    test("that cannot be corrected is an outage because of the clock, not of the credentials", async () => {
      await using store = await openFixture();
      store.s3.inject({ kind: "refuse", answer: CLOCK_SKEWED }, Number.POSITIVE_INFINITY);
      store.dynamoDb.inject({ kind: "refuse", answer: SIGNATURE_EXPIRED }, Number.POSITIVE_INFINITY);
      for (const call of [store.calls["a record"], store.calls["a blob"]]) {
        const cause = await causeOf(call);
        expect(cause).toContain("the clock of this machine");
        expect(cause).not.toContain("credentials");
      }
    });

    test("does not hide wrong credentials", async () => {
      await using store = await openFixture();
      store.s3.inject({ kind: "clock", aheadMs: AHEAD_MS, refusal: CLOCK_SKEWED });
      store.s3.inject({ kind: "refuse", answer: s3Error(403, "SignatureDoesNotMatch") }, 2);
      expect(await causeOf(store.calls["a blob"])).toContain("credentials");
      expect(store.s3.seen).toHaveLength(2);
      store.dynamoDb.inject({ kind: "refuse", answer: dynamoDbError(403, "InvalidSignatureException") }, 2);
      expect(await causeOf(store.calls["a record"])).toContain("credentials");
      expect(store.dynamoDb.seen).toHaveLength(1);
    });

    test("costs no client of the service anything, and is in the log", async () => {
      const [driver] = DRIVERS.filter(({ name }) => name === "aws");
      if (driver === undefined) throw new Error("the aws driver is not asked for");
      await using store = await openFixture();
      const { s3, dynamoDb, storage } = store;
      await using service = await startService(driver, {
        storage,
        env: { AWS_ENDPOINT_URL_S3: s3.url, AWS_ENDPOINT_URL_DYNAMODB: dynamoDb.url },
      });
      s3.inject({ kind: "clock", aheadMs: AHEAD_MS, refusal: CLOCK_SKEWED }, Number.POSITIVE_INFINITY);
      dynamoDb.inject(
        { kind: "clock", aheadMs: AHEAD_MS, refusal: SIGNATURE_EXPIRED },
        Number.POSITIVE_INFINITY,
      );
      const user = await userWithBackup(service.client);
      expect((await recovered(service.client, user)).metadata.id).toBe(user.account.backupAccountId);
      expect((await fetch(`${service.url}/ready`)).status).toBe(200);
      const lines = service.logged.filter((line) => line.includes("20 minutes behind AWS's"));
      expect(lines.length).toBeGreaterThan(0);
      for (const line of lines) expect(line).toContain('"level":"warn"');
    });
  });
