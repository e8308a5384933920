/** What the stores do with the requests of one call, and with their connections. */
import { expect, test } from "bun:test";
import { systemClock, systemRandom } from "../../../src/runtime/clock.ts";
import { openAwsBlobs } from "../../../src/storage/aws/blobs.ts";
import { openAwsRecords } from "../../../src/storage/aws/records.ts";
import { StorageUnavailable } from "../../../src/storage/contract.ts";
import { dynamoDbSuccess, refused, scriptedAws, startScriptedAws } from "../../support/scripted-aws.ts";

const OPTIONS = { clock: systemClock, random: systemRandom, retry: { budgetMs: -1, attemptMs: 60_000 } };

const aws = await scriptedAws();

const soon = Date.now() + 60_000;
const nonces = ["n1", "n2"].map((id) => ({ id, expiresAtMs: soon }));
const event = {
  ...{ id: "e1", backupId: "b1", atMs: 1, body: {}, logId: "log", expiresAtMs: soon },
  deliverFromMs: null,
};

test("a release ends when all of its requests have", async () => {
  await using records = await openAwsRecords(aws.config, OPTIONS);
  aws.respond = dynamoDbSuccess({});
  const consumption = await records.consume(nonces, undefined, [event]);
  const waiting: (() => void)[] = [];
  aws.respond = (response, { operation }) => {
    if (operation === "GetItem") response.end("{}");
    else waiting.push(() => response.end("{}"));
  };
  let isReleased = false;
  const released = consumption?.release().then(() => {
    isReleased = true;
  });
  while (waiting.length < 3) await new Promise(setImmediate);
  for (const respond of waiting) {
    expect(isReleased).toBe(false);
    respond();
    await records.read("b1"); // that response has arrived before this one
  }
  await released;
});

test("a release that DynamoDB refuses is an outage", async () => {
  await using records = await openAwsRecords(aws.config, OPTIONS);
  aws.respond = dynamoDbSuccess({});
  const consumption = await records.consume(nonces);
  aws.respond = refused;
  await expect(consumption?.release()).rejects.toBeInstanceOf(StorageUnavailable);
});

test("the stores close their connections", async () => {
  await using own = await startScriptedAws();
  own.respond = (response, { method }) => response.end(method === "DELETE" ? "" : "{}");
  const records = await openAwsRecords(own.config, OPTIONS);
  const blobs = await openAwsBlobs(own.config, OPTIONS);
  await records.read("b1");
  await blobs.delete("b1/blobs/1");
  expect(own.connections).toBe(2);
  await records[Symbol.asyncDispose]();
  await blobs[Symbol.asyncDispose]();
  await own.deserted();
});
