/** What a direct client does beside sending what the SDK would send. */
import { beforeEach, describe, expect, spyOn, test } from "bun:test";
import { GetItemCommand, ListTablesCommand } from "@aws-sdk/client-dynamodb";
import { GetObjectCommand, ListBucketsCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
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
import { BUCKET } from "../../../support/aws-config.ts";
import { signedAtMs } from "../../../support/fault-proxy.ts";
import { dynamoDbSuccess, responding, scriptedAws, startScriptedAws } from "../../../support/scripted-aws.ts";
import { clientPair } from "./client-pair.ts";
import { DYNAMODB_REQUESTS, S3_REQUESTS } from "./operations.ts";

const aws = await scriptedAws();
const { config } = aws;

const get = () => new GetItemCommand({ TableName: "backups", Key: { BackupId: { S: "b1" } } });

describe("a direct client", () => {
  beforeEach(() => {
    aws.respond = dynamoDbSuccess({});
  });

  /** Who has sent each request. */
  const senders = () => aws.seen.map(({ headers }) => String(headers["user-agent"]).split("/", 1)[0]);

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
    expect(Object.keys(DYNAMODB_REQUESTS)).toEqual([...DYNAMODB.operations]);
    expect(Object.keys(S3_REQUESTS)).toEqual([...S3.operations]);
    const dynamoDb = createDynamoDbSender(createDynamoDbClient(config), config);
    const s3 = createS3Sender(createS3Client(config));
    const requests = Object.values({ ...DYNAMODB_REQUESTS, ...S3_REQUESTS });
    await Promise.allSettled(requests.map((send) => send({ dynamoDb, s3 }, {})));
    dynamoDb.destroy();
    s3.destroy();
    expect(senders()).toEqual(requests.map(() => "backup-service"));
  });

  test("has the SDK attempt once what it leaves to it", async () => {
    aws.respond = responding(500, "{}");
    const client = createDynamoDbSender(createDynamoDbClient(config), config);
    await expect(client.send(new ListTablesCommand({}))).rejects.toThrow();
    const s3 = createS3Sender(createS3Client(config));
    await expect(s3.send(new ListBucketsCommand({}))).rejects.toThrow();
    expect(senders()).toEqual(["aws-sdk-js", "aws-sdk-js"]);
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
    await using own = await startScriptedAws();
    own.respond = dynamoDbSuccess({});
    const client = createDynamoDbSender(createDynamoDbClient(own.config), own.config);
    await client.send(get());
    await client.send(new ListTablesCommand({}));
    expect(own.connections).toBe(2);
    client.destroy();
    await own.deserted();
  });

  test("does not keep a permit for a response that it cannot read", async () => {
    const headers = { "last-modified": "no date", "content-length": "400000" };
    aws.respond = responding(200, "x".repeat(400_000), headers);
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
    ["it", "backups"],
    ["the SDK", "arn:aws:dynamodb:eu-west-1:123456789012:table/backups"],
  ] as const)
    test(`asks before ${name} sends a request, each time, and sends none that is refused`, async () => {
      const tables = { ...config.tables, backups: table };
      const client = createDynamoDbSender(createDynamoDbClient(config), { ...config, tables });
      const command = get();
      let asked = 0;
      for (let n = 0; n < 2; n++) await client.send(command, { beforeSending: () => void asked++ });
      expect([asked, aws.seen.length]).toEqual([2, 2]);
      const refusal = new Error("too late");
      const refuse = () => {
        throw refusal;
      };
      await expect(client.send(command, { beforeSending: refuse })).rejects.toBe(refusal);
      expect(aws.seen).toHaveLength(2);
    });

  test("learns AWS's time as the SDK does, for the next signature", async () => {
    using pair = clientPair(aws.url);
    for (const { status = 200, ...headers } of [
      { date: new Date(Date.now() + 3_600_000).toUTCString() },
      { date: new Date(Date.now() - 3_600_000).toUTCString(), age: "5" },
      { date: "no date" },
      { date: new Date(Date.now() - 7_200_000).toUTCString() },
      { status: 400, date: new Date(Date.now() + 7_200_000).toUTCString() },
    ]) {
      aws.respond = responding(status, "{}", headers);
      for (const { dynamoDb } of [pair.sdk, pair.direct])
        for (let n = 0; n < 2; n++) {
          const outcome = dynamoDb.send(get()).then(
            () => 200,
            () => 400,
          );
          expect(await outcome).toBe(status);
        }
      const [, ofTheSdk = Number.NaN, , direct = Number.NaN] = aws.seen.splice(0).map(signedAtMs);
      expect(Math.abs(direct - ofTheSdk)).toBeLessThan(60_000);
    }
  });

  test("has no more requests on their way than it may, and sends the others as those end", async () => {
    const client = new DirectClient(createDynamoDbClient(config), DYNAMODB, 2);
    const waiting: (() => void)[] = [];
    aws.respond = (response) => void waiting.push(() => response.end("{}"));
    const until = async (count: number) => {
      while (aws.seen.length < count) await new Promise(setImmediate);
    };
    const sent = [1, 2, 3, 4].map(() => client.send(get()));
    const aborted = new AbortController();
    const given = client.send(get(), { abortSignal: aborted.signal });
    await until(2);
    aborted.abort();
    await expect(given).rejects.toMatchObject({ name: "AbortError" });
    expect(aws.seen).toHaveLength(2);
    for (let count = 3; count <= 5; count++) {
      waiting.shift()?.();
      await until(Math.min(count, 4));
    }
    for (const end of waiting) end();
    expect(await Promise.all(sent)).toHaveLength(4);
    expect(aws.seen).toHaveLength(4);
  });

  test("counts a large body until it was read or destroyed", async () => {
    const large = "x".repeat(400_000);
    aws.respond = responding(200, large);
    using pair = clientPair(aws.url);
    const command = new GetObjectCommand({ Bucket: BUCKET, Key: "k" });
    for (let n = 0; n < 200; n++) {
      const { Body } = await pair.direct.s3.send(command);
      if (n % 2 === 0) expect((await Body?.transformToByteArray())?.length).toBe(large.length);
      else if (Body !== undefined && "destroy" in Body) Body.destroy();
    }
  });
});
