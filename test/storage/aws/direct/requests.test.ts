/** A direct client sends the requests that the SDK's client would send, byte for byte. */
import { afterEach, beforeEach, describe, expect, setSystemTime, test } from "bun:test";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import {
  type AttributeValue,
  BatchGetItemCommand,
  DeleteItemCommand,
  DescribeTableCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { changeSteps, consumeSteps, releaseUpdates } from "../../../../src/storage/aws/changes.ts";
import type { Change } from "../../../../src/storage/contract.ts";
import { type SeenRequest, scriptedAws } from "../../../support/scripted-aws.ts";
import { type Clients, clientPair } from "./client-pair.ts";

const aws = await scriptedAws();
const { bucket: Bucket, tables } = aws.config;
const TableName = "backups";
const Key = { BackupId: { S: "b1" } };
/** Every kind of attribute but binary ones, and text that JSON has to escape. */
const Item: Record<string, AttributeValue> = {
  BackupId: { S: 'quote " backslash \\ line \n nul \u0000 é 𝄞 \u2028 \ud800 {"B":"AP8="}' },
  N: { N: "1750000000000" },
  BOOL: { BOOL: false },
  NULL: { NULL: true },
  L: { L: [{ S: "" }, { M: { "": { N: "-0.5" } } }] },
  SS: { SS: ["a", "b"] },
  NS: { NS: ["1"] },
};
const binary: Record<string, Record<string, AttributeValue>> = {
  "a binary attribute": { ...Item, A: { B: Buffer.from([0, 255, 1]) } },
  "a set of binary attributes": { ...Item, A: { BS: [new Uint8Array(1), Buffer.from("x")] } },
  "a binary attribute in a list": { ...Item, A: { L: [{ M: { x: { B: new Uint8Array(0) } } }] } },
  "attributes that are called as binary ones": { ...Item, B: { S: "x" }, BS: { M: { B: { S: "y" } } } },
};

const condition = {
  ConditionExpression: "attribute_not_exists(#k) OR ExpiresAtMs <= :now",
  ExpressionAttributeNames: { "#k": "BackupId" },
  ExpressionAttributeValues: { ":now": { N: "1" } },
};

const nonce = { id: 'nonce "1" é', expiresAtMs: 1_750_000_000_000 };
const [{ alone: consumption = fail() } = fail()] = consumeSteps(tables, [nonce], undefined, 1, "consumer 1");
const [release = fail()] = releaseUpdates("one-time", [nonce], undefined, "consumer 1");
const next = { blob: { key: "b1/blobs/1", size: 1, sha256: "00" }, metadata: { é: "\u2028" }, versions: [] };
const update: Change = { backupId: "b1", expect: { revision: "1" }, next };
const [{ alone: recordUpdate = fail() } = fail()] = changeSteps(tables, update, "2", 1);

function upload(content: Buffer, body: Readable | Uint8Array | string) {
  const checksum = createHash("sha256").update(content).digest("base64");
  return new PutObjectCommand({
    Bucket,
    Key: "b1/blobs/1",
    Body: body,
    ContentLength: content.length,
    ContentType: "application/octet-stream",
    ChecksumSHA256: checksum,
    IfNoneMatch: "*",
  });
}

const small = Buffer.from("small content");
const large = Buffer.alloc(400_000, "large content");
const streamOf = (content: Buffer) =>
  Readable.from([content.subarray(0, 5), content.subarray(5)], { objectMode: false });
const tags = {
  Bucket,
  ServerSideEncryption: "aws:kms",
  SSEKMSKeyId: "arn:aws:kms:eu-west-1:1:key/1",
} as const;

/** Inputs name their members in the order in which the SDK writes them, so that all bytes can be compared. */
const REQUESTS: Readonly<Record<string, (clients: Clients) => Promise<unknown>>> = {
  GetItem: ({ dynamoDb }) => dynamoDb.send(new GetItemCommand({ TableName, Key, ConsistentRead: true })),
  "GetItem with a projection": ({ dynamoDb }) =>
    dynamoDb.send(
      new GetItemCommand({
        TableName,
        Key,
        ProjectionExpression: "#a",
        ExpressionAttributeNames: { "#a": "N" },
      }),
    ),
  BatchGetItem: ({ dynamoDb }) =>
    dynamoDb.send(
      new BatchGetItemCommand({
        RequestItems: {
          "table-1": { Keys: [Key], ConsistentRead: true },
          "table.2": { Keys: [Key, { PK: { S: "MAIN#é" } }], ConsistentRead: true },
        },
      }),
    ),
  PutItem: ({ dynamoDb }) => dynamoDb.send(new PutItemCommand({ TableName, Item, ...condition })),
  ...Object.fromEntries(
    Object.entries(binary).map(([name, item]) => [
      `PutItem of ${name}`,
      ({ dynamoDb }: Clients) => dynamoDb.send(new PutItemCommand({ TableName, Item: item, ...condition })),
    ]),
  ),
  "PutItem of a nonce": ({ dynamoDb }) => dynamoDb.send(new PutItemCommand(consumption.put)),
  "PutItem of a record": ({ dynamoDb }) => dynamoDb.send(new PutItemCommand(recordUpdate.put)),
  "UpdateItem of a nonce": ({ dynamoDb }) => dynamoDb.send(new UpdateItemCommand(release)),
  UpdateItem: ({ dynamoDb }) =>
    dynamoDb.send(
      new UpdateItemCommand({
        TableName,
        Key,
        ReturnValues: "UPDATED_NEW",
        UpdateExpression: "ADD CounterSum :now",
        ExpressionAttributeValues: condition.ExpressionAttributeValues,
      }),
    ),
  DeleteItem: ({ dynamoDb }) => dynamoDb.send(new DeleteItemCommand({ TableName, Key, ...condition })),
  TransactWriteItems: ({ dynamoDb }) =>
    dynamoDb.send(
      new TransactWriteItemsCommand({
        TransactItems: [
          { ConditionCheck: { Key, TableName, ...condition } },
          { Put: { Item, TableName, ...condition, ReturnValuesOnConditionCheckFailure: "ALL_OLD" } },
          { Delete: { Key, TableName, ...condition } },
          { Update: { Key, UpdateExpression: "SET N = :now", TableName, ...condition } },
        ],
        ClientRequestToken: "00000000-0000-4000-8000-000000000000",
      }),
    ),
  Query: ({ dynamoDb }) =>
    dynamoDb.send(
      new QueryCommand({
        TableName,
        Limit: 51,
        ScanIndexForward: false,
        KeyConditionExpression: "PK = :now",
        ExpressionAttributeValues: condition.ExpressionAttributeValues,
      }),
    ),
  Scan: ({ dynamoDb }) =>
    dynamoDb.send(new ScanCommand({ TableName, ExclusiveStartKey: Key, ConsistentRead: true })),
  DescribeTable: ({ dynamoDb }) => dynamoDb.send(new DescribeTableCommand({ TableName })),
  GetObject: ({ s3 }) => s3.send(new GetObjectCommand({ Bucket, Key: "b1/blobs/1" })),
  "GetObject of a part": ({ s3 }) =>
    s3.send(new GetObjectCommand({ Bucket, Key: "b1/blobs/1", Range: "bytes=5-", IfMatch: '"etag"' })),
  "GetObject with a name of many characters": ({ s3 }) =>
    s3.send(new GetObjectCommand({ Bucket, Key: "a b//ü %2e+?&#'()*!~$@:;=,[]/𝄞" })),
  "GetObject with a name that a URL would shorten": ({ s3 }) =>
    s3.send(new GetObjectCommand({ Bucket, Key: "a/../b/./c" })),
  "PutObject of bytes": ({ s3 }) => s3.send(upload(small, small)),
  "PutObject of nothing": ({ s3 }) => s3.send(upload(Buffer.alloc(0), new Uint8Array(0))),
  "PutObject of a short stream": ({ s3 }) => s3.send(upload(small, streamOf(small))),
  "PutObject of a long stream": ({ s3 }) => s3.send(upload(large, streamOf(large))),
  "PutObject of a text, encrypted": ({ s3 }) =>
    s3.send(new PutObjectCommand({ ...tags, Key: "last-seen", Body: "é", ContentType: "text/plain" })),
  "PutObject of bytes without a checksum": ({ s3 }) =>
    s3.send(new PutObjectCommand({ Bucket, Key: "probe", Body: new Uint8Array(1) })),
  "PutObject of a stream without a checksum": ({ s3 }) =>
    s3.send(
      new PutObjectCommand({ Bucket, Key: "probe", Body: streamOf(small), ContentLength: small.length }),
    ),
  "PutObject with spaces in a header": ({ s3 }) =>
    s3.send(
      new PutObjectCommand({ Bucket, Key: "probe", Body: "x", Metadata: { a: "b   c \t d", e: " f " } }),
    ),
  HeadObject: ({ s3 }) =>
    s3.send(new HeadObjectCommand({ Bucket, Key: "b1/blobs/1", ChecksumMode: "ENABLED" })),
  DeleteObject: ({ s3 }) => s3.send(new DeleteObjectCommand({ Bucket, Key: "b1/blobs/1" })),
  DeleteObjects: ({ s3 }) =>
    s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: "a&b" }], Quiet: true } })),
  ListObjectsV2: ({ s3 }) => s3.send(new ListObjectsV2Command({ Bucket })),
  "ListObjectsV2 of a page": ({ s3 }) =>
    s3.send(new ListObjectsV2Command({ Bucket, Prefix: "b é/", MaxKeys: 1, ContinuationToken: "1/a+b==&" })),
  "ListObjectsV2 of an empty prefix": ({ s3 }) => s3.send(new ListObjectsV2Command({ Bucket, Prefix: "" })),
  HeadBucket: ({ s3 }) => s3.send(new HeadBucketCommand({ Bucket })),
};

/** What the runtime adds to a request, and nobody signs; with a DELETE also that it has no body. */
const OF_THE_RUNTIME = ["accept", "connection", "user-agent"];

describe("a direct request", () => {
  const { AWS_SESSION_TOKEN } = process.env;
  beforeEach(() => {
    setSystemTime(new Date("2026-02-03T04:05:06Z"));
  });
  afterEach(() => {
    setSystemTime();
    if (AWS_SESSION_TOKEN === undefined) delete process.env.AWS_SESSION_TOKEN;
  });

  async function requestsOf(send: (clients: Clients) => Promise<unknown>, url = aws.url) {
    using pair = clientPair(url);
    aws.seen.length = 0;
    aws.respond = (response) => void response.end();
    const sent: SeenRequest[] = [];
    for (const clients of [pair.sdk, pair.direct]) {
      await send(clients).catch((error: unknown) => {
        if (aws.seen.length === 0) throw error; // what an empty response means is no matter here
      });
      const [request, ...others] = aws.seen.splice(0);
      if (request === undefined || others.length > 0) throw new Error("that was not one request");
      const headers = { ...request.headers };
      for (const name of OF_THE_RUNTIME) delete headers[name];
      if (request.method === "DELETE" && headers["content-length"] === "0") delete headers["content-length"];
      sent.push({ ...request, headers });
    }
    const [ofTheSdk, direct] = sent;
    return { ofTheSdk, direct };
  }

  for (const [name, send] of Object.entries(REQUESTS))
    test(`${name} is the SDK's, signature and all`, async () => {
      const { ofTheSdk, direct } = await requestsOf(send);
      expect(direct).toEqual(ofTheSdk);
      expect(direct?.headers.authorization).toStartWith("AWS4-HMAC-SHA256 Credential=");
    });

  for (const name of ["GetItem", "PutObject of a long stream"])
    test(`${name} is signed with the token of a session`, async () => {
      process.env.AWS_SESSION_TOKEN = "a+session/token==";
      const { ofTheSdk, direct } = await requestsOf(REQUESTS[name] ?? fail);
      expect(direct).toEqual(ofTheSdk);
      expect(direct?.headers["x-amz-security-token"]).toBe("a+session/token==");
    });

  for (const name of ["GetItem", "GetObject"])
    test(`${name} goes to an endpoint below a path`, async () => {
      const { ofTheSdk, direct } = await requestsOf(REQUESTS[name] ?? fail, `${aws.url}/aws/é`);
      expect(direct).toEqual(ofTheSdk);
    });

  test("is signed with the key of its day", async () => {
    using pair = clientPair(aws.url);
    aws.respond = (response) => void response.end("{}");
    for (const date of ["2026-02-03T23:59:59Z", "2026-02-04T00:00:00Z"]) {
      setSystemTime(new Date(date));
      aws.seen.length = 0;
      for (const { dynamoDb } of [pair.sdk, pair.direct])
        await dynamoDb.send(new GetItemCommand({ TableName, Key }));
      const [ofTheSdk, direct] = aws.seen.map(({ headers }) => headers.authorization);
      expect(direct).toBe(ofTheSdk);
    }
  });
});

function fail(): never {
  throw new Error("there is no such request");
}
