/** JSON that is no response of DynamoDB, as a proxy may send it, and items that cannot be read: the store is unavailable. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { systemClock, systemRandom } from "../../../src/runtime/clock.ts";
import { openAwsRecords } from "../../../src/storage/aws/records.ts";
import { StorageUnavailable } from "../../../src/storage/contract.ts";
import type { InspectableRecords } from "../../../src/storage/inspection.ts";
import { type ScriptedEndpoint, startScriptedEndpoint } from "./direct/scripted-endpoint.ts";

let endpoint: ScriptedEndpoint;
let records: InspectableRecords;

beforeAll(async () => {
  process.env.AWS_ACCESS_KEY_ID ??= "test";
  process.env.AWS_SECRET_ACCESS_KEY ??= "test-secret";
  endpoint = await startScriptedEndpoint();
  records = await openAwsRecords(
    {
      driver: "aws",
      region: "eu-west-1",
      bucket: "bucket",
      kmsKeyArn: null,
      tables: { factorLookup: "factors", backups: "backups", oneTime: "one-time", history: "history" },
      s3Endpoint: endpoint.url,
      dynamoDbEndpoint: endpoint.url,
    },
    { clock: systemClock, random: systemRandom, retry: { budgetMs: -1 } },
  );
});
afterAll(async () => {
  await records[Symbol.asyncDispose]();
  await endpoint[Symbol.asyncDispose]();
});

const record = {
  BackupId: { S: "b1" },
  Revision: { S: "r1" },
  BlobKey: { S: "b1/blobs/1" },
  BlobSize: { N: "1" },
  BlobSha256: { S: "00" },
  Metadata: { S: "{}" },
};

const read = () => records.read("b1");
const listed = () => Array.fromAsync(records.listFactors());
const located = () => records.locate({ scope: "MAIN", key: "k" }, []);

const CASES: readonly (readonly [string, () => Promise<unknown>, object])[] = [
  ["an item that is a list", read, { Item: [] }],
  ["an item that is a text", read, { Item: "x" }],
  ["a text of another type", read, { Item: { ...record, Revision: { S: 5 } } }],
  ["a number that is none", read, { Item: { ...record, BlobSize: { N: "x" } } }],
  ["an empty number", read, { Item: { ...record, BlobSize: { N: "" } } }],
  ["metadata that are not JSON", read, { Item: { ...record, Metadata: { S: "{" } } }],
  ["metadata that are no object", read, { Item: { ...record, Metadata: { S: "null" } } }],
  ["versions of an unknown format", read, { Item: { ...record, Versions: { S: "AAAA" } } }],
  ["items that are no list", listed, { Items: true }],
  ["items that are texts", listed, { Items: ["x"] }],
  ["the key of a factor that is a number", listed, { Items: [{ PK: { S: 5 } }] }],
  ["a next page that is a text", listed, { Items: [], LastEvaluatedKey: "x" }],
  ["responses that are a list", located, { Responses: [[]] }],
  ["responses of items that are no list", located, { Responses: { factors: {} } }],
  ["unprocessed keys that are null", located, { Responses: {}, UnprocessedKeys: { factors: null } }],
  ["an event whose body is a text", () => records.outbox.due(1), { Items: [{ Body: { S: '"x"' } }] }],
  ["restores that are no list", () => records.restores(), { Item: { Restores: { L: "x" } } }],
  ["a restore that is null", () => records.restores(), { Item: { Restores: { L: [null] } } }],
  ["a last time that is none", () => records.lastSeenMs(), { Item: { LastSeenMs: { N: "x" } } }],
  ["a sum that is none", () => records.addToCounter("c", 1, 1), { Attributes: { CounterSum: { N: "x" } } }],
];

describe("a response of DynamoDB with", () => {
  test.each(CASES)("%s is an outage", async (_name, call, response) => {
    endpoint.respond = (answer) => void answer.end(JSON.stringify(response));
    await expect(call()).rejects.toBeInstanceOf(StorageUnavailable);
  });

  test("all members as they should be is read", async () => {
    endpoint.respond = (answer) => void answer.end(JSON.stringify({ Item: record }));
    expect(await read()).toMatchObject({ revision: "r1", blob: { size: 1 }, metadata: {} });
  });
});
