/** What a direct client does beside sending what the SDK would send. */
import { afterAll, beforeAll, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import {
  BatchGetItemCommand,
  DeleteItemCommand,
  DescribeTableCommand,
  GetItemCommand,
  ListTablesCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import type { AwsStorageConfig } from "../../../../src/config/storage.ts";
import { runInSpan, type Span } from "../../../../src/runtime/span.ts";
import {
  createDynamoDbClient,
  createDynamoDbSender,
  createS3Client,
  createS3Sender,
} from "../../../../src/storage/aws/clients.ts";
import { DirectClient } from "../../../../src/storage/aws/direct/client.ts";
import { DYNAMODB } from "../../../../src/storage/aws/direct/dynamodb.ts";
import { S3 } from "../../../../src/storage/aws/direct/s3.ts";
import { BUCKET, clientPair } from "./client-pair.ts";
import { type ScriptedEndpoint, startScriptedEndpoint } from "./scripted-endpoint.ts";

const get = () => new GetItemCommand({ TableName: "backups", Key: { BackupId: { S: "b1" } } });

describe("a direct client", () => {
  let endpoint: ScriptedEndpoint;
  let config: AwsStorageConfig;
  beforeAll(async () => {
    endpoint = await startScriptedEndpoint();
    process.env.AWS_ACCESS_KEY_ID ??= "test";
    process.env.AWS_SECRET_ACCESS_KEY ??= "test-secret";
    config = {
      driver: "aws",
      region: "eu-west-1",
      bucket: BUCKET,
      kmsKeyArn: null,
      tables: { factorLookup: "factors", backups: "backups", oneTime: "one-time", history: "history" },
      s3Endpoint: endpoint.url,
      dynamoDbEndpoint: endpoint.url,
    };
  });
  afterAll(() => endpoint[Symbol.asyncDispose]());
  beforeEach(() => {
    endpoint.seen.length = 0;
    endpoint.respond = (response) => void response.end("{}");
  });

  /** Who has sent each request. */
  const senders = () => endpoint.seen.map(({ headers }) => String(headers["user-agent"]).split("/", 1)[0]);

  test("leaves to the SDK what it cannot send", async () => {
    const client = createDynamoDbSender(createDynamoDbClient(config), config);
    await client.send(get());
    await client.send(new ListTablesCommand({}));
    const tables = { ...config.tables, backups: "arn:aws:dynamodb:eu-west-1:123456789012:table/backups" };
    await createDynamoDbSender(createDynamoDbClient(config), { ...config, tables }).send(get());
    const s3 = createS3Sender(createS3Client(config));
    for (const Key of ["b1/blobs/1", "b1/../1", ".", "b1/..."])
      await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key }));
    expect(senders()).toEqual([
      ...["backup-service", "aws-sdk-js", "aws-sdk-js"],
      ...["backup-service", "aws-sdk-js", "aws-sdk-js", "backup-service"],
    ]);
  });

  test("sends itself what the service requests", async () => {
    const { Bucket, Key } = { Bucket: BUCKET, Key: "b1/blobs/1" };
    const table = { TableName: "table" };
    const item = { ...table, Key: { PK: { S: "k" } } };
    const Put = { ...table, Item: { PK: { S: "k" } } };
    const dynamoDb = createDynamoDbSender(createDynamoDbClient(config), config);
    const s3 = createS3Sender(createS3Client(config));
    const sent = await Promise.allSettled([
      dynamoDb.send(new BatchGetItemCommand({ RequestItems: { table: { Keys: [item.Key] } } })),
      dynamoDb.send(new DeleteItemCommand(item)),
      dynamoDb.send(new DescribeTableCommand(table)),
      dynamoDb.send(new GetItemCommand(item)),
      dynamoDb.send(new PutItemCommand(Put)),
      dynamoDb.send(new QueryCommand(table)),
      dynamoDb.send(new ScanCommand(table)),
      dynamoDb.send(new TransactWriteItemsCommand({ TransactItems: [{ Put }], ClientRequestToken: "t" })),
      dynamoDb.send(new UpdateItemCommand(item)),
      s3.send(new DeleteObjectCommand({ Bucket, Key })),
      s3.send(new GetObjectCommand({ Bucket, Key })),
      s3.send(new HeadBucketCommand({ Bucket })),
      s3.send(new HeadObjectCommand({ Bucket, Key })),
      s3.send(new ListObjectsV2Command({ Bucket })),
      s3.send(new PutObjectCommand({ Bucket, Key, Body: "x" })),
    ]);
    dynamoDb.destroy();
    s3.destroy();
    expect(senders()).toEqual(sent.map(() => "backup-service"));
  });

  test("sends a request to AWS itself, without a port in its address", async () => {
    using fetched = spyOn(globalThis, "fetch").mockImplementation(
      Object.assign(async () => new Response("{}"), { preconnect: () => {} }),
    );
    const atAws = { ...config, dynamoDbEndpoint: null };
    await createDynamoDbSender(createDynamoDbClient(atAws), atAws).send(get());
    const host = "dynamodb.eu-west-1.amazonaws.com";
    expect(fetched.mock.calls).toEqual([
      [`https://${host}/`, expect.objectContaining({ headers: expect.objectContaining({ host }) })],
    ]);
  });

  test("says in the span of a request what the status of the response was", async () => {
    const seen: unknown[] = [];
    const span = (name: string): Span => ({
      traceId: "",
      child: (childName) => span(childName),
      rename: () => {},
      set: (attributes) => void seen.push(name, attributes),
      run: (work) => work(),
      end: (failure) => void seen.push(failure),
    });
    const client = createDynamoDbSender(createDynamoDbClient(config), config);
    await runInSpan(span("request"), () => client.send(get()));
    expect(seen).toEqual(["AWS GetItem", { "http.response.status_code": 200 }, undefined]);
  });

  test("closes its connections, and those of the SDK, when it is destroyed", async () => {
    const open = new Set<Socket>();
    let closed = () => {};
    const server = createServer({ keepAliveTimeout: 0 }, (_request, response) => void response.end("{}"));
    server.on("connection", (socket) => {
      open.add(socket);
      socket.on("close", () => {
        open.delete(socket);
        closed();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const local = { ...config, dynamoDbEndpoint: `http://127.0.0.1:${port}` };
    const client = createDynamoDbSender(createDynamoDbClient(local), local);
    await client.send(get());
    await client.send(new ListTablesCommand({}));
    expect(open.size).toBe(2);
    client.destroy();
    while (open.size > 0) await new Promise<void>((resolve) => (closed = resolve));
    server.close();
  });

  test("does not keep a permit for a response that it cannot read", async () => {
    const headers = { "last-modified": "no date", "content-length": "400000" };
    endpoint.respond = (response) => void response.writeHead(200, headers).end("x".repeat(400_000));
    const client = new DirectClient(createS3Client(config), S3, 1);
    for (let n = 0; n < 2; n++)
      await expect(client.send(new GetObjectCommand({ Bucket: BUCKET, Key: "k" }))).rejects.toThrow("date");
  });

  test("leaves to the SDK a bucket whose requests are signed in another way", async () => {
    const sdk = createS3Client({ ...config, s3Endpoint: null });
    const stopped = new Error("stopped");
    sdk.middlewareStack.add(
      () => () => {
        throw stopped;
      },
      { step: "initialize" },
    );
    const list = new ListObjectsV2Command({ Bucket: "bucket--use1-az4--x-s3" });
    await expect(createS3Sender(sdk).send(list)).rejects.toBe(stopped);
  });

  for (const [name, table] of [
    ["itself", "backups"],
    ["the SDK", "arn:aws:dynamodb:eu-west-1:123456789012:table/backups"],
  ] as const)
    test(`asks before ${name} sends a request, each time, and sends none that is refused`, async () => {
      const tables = { ...config.tables, backups: table };
      const client = createDynamoDbSender(createDynamoDbClient(config), { ...config, tables });
      const command = get();
      let asked = 0;
      for (let n = 0; n < 2; n++) await client.send(command, { beforeSending: () => void asked++ });
      expect([asked, endpoint.seen.length]).toEqual([2, 2]);
      const refusal = new Error("too late");
      const refuse = () => {
        throw refusal;
      };
      await expect(client.send(command, { beforeSending: refuse })).rejects.toBe(refusal);
      expect(endpoint.seen).toHaveLength(2);
    });

  test("learns AWS's time as the SDK does, for the next signature", async () => {
    using pair = clientPair(endpoint.url);
    for (const { status = 200, ...headers } of [
      { date: new Date(Date.now() + 3_600_000).toUTCString() },
      { date: new Date(Date.now() - 3_600_000).toUTCString(), age: "5" },
      { date: "no date" },
      { date: new Date(Date.now() - 7_200_000).toUTCString() },
      { status: 400, date: new Date(Date.now() + 7_200_000).toUTCString() },
    ]) {
      endpoint.respond = (response) => void response.writeHead(status, headers).end("{}");
      for (const { dynamoDb } of [pair.sdk, pair.direct])
        for (let n = 0; n < 2; n++) {
          const outcome = dynamoDb.send(get()).then(
            () => 200,
            () => 400,
          );
          expect(await outcome).toBe(status);
        }
      const [, ofTheSdk = 0, , direct = 0] = endpoint.seen
        .splice(0)
        .map(({ headers }) => signedAtMs(headers));
      expect(Math.abs(direct - ofTheSdk)).toBeLessThan(60_000);
    }
  });

  test("has no more requests on their way than it may, and sends the others as those end", async () => {
    const client = new DirectClient(createDynamoDbClient(config), DYNAMODB, 2);
    const waiting: (() => void)[] = [];
    endpoint.respond = (response) => void waiting.push(() => response.end("{}"));
    const until = async (count: number) => {
      while (endpoint.seen.length < count) await new Promise(setImmediate);
    };
    const sent = [1, 2, 3, 4].map(() => client.send(get()));
    const aborted = new AbortController();
    const given = client.send(get(), { abortSignal: aborted.signal });
    await until(2);
    aborted.abort();
    await expect(given).rejects.toMatchObject({ name: "AbortError" });
    expect(endpoint.seen).toHaveLength(2);
    for (let count = 3; count <= 5; count++) {
      waiting.shift()?.();
      await until(Math.min(count, 4));
    }
    for (const end of waiting) end();
    expect(await Promise.all(sent)).toHaveLength(4);
    expect(endpoint.seen).toHaveLength(4);
  });

  test("counts a large body until it was read or destroyed", async () => {
    const large = "x".repeat(400_000);
    endpoint.respond = (response) => void response.end(large);
    using pair = clientPair(endpoint.url);
    const command = new GetObjectCommand({ Bucket: BUCKET, Key: "k" });
    for (let n = 0; n < 200; n++) {
      const { Body } = await pair.direct.s3.send(command);
      if (n % 2 === 0) expect((await Body?.transformToByteArray())?.length).toBe(large.length);
      else if (Body !== undefined && "destroy" in Body) Body.destroy();
    }
  });
});

/** `x-amz-date` is like 20261125T215000Z. */
function signedAtMs(headers: Readonly<Record<string, unknown>>): number {
  const [, ...parts] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(String(headers["x-amz-date"])) ?? [];
  const [year = 0, month = 1, ...rest] = parts.map(Number);
  return Date.UTC(year, month - 1, ...rest);
}
