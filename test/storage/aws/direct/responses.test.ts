/** A direct client makes of every response, and of none, what the SDK's client makes of it. */
import { describe, expect, test } from "bun:test";
import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { systemRandom } from "../../../../src/runtime/clock.ts";
import { clockSkewMs } from "../../../../src/storage/aws/clock-skew.ts";
import { TryAgain, withRetries } from "../../../../src/storage/aws/retry.ts";
import { StorageUnavailable } from "../../../../src/storage/contract.ts";
import { type Respond, responding, scriptedAws } from "../../../support/scripted-aws.ts";
import { type Clients, clientPair } from "./client-pair.ts";
import { DYNAMODB_REQUESTS, KEY, S3_REQUESTS, type Send } from "./operations.ts";

const aws = await scriptedAws();

const ids = { "x-amz-request-id": "request 2", "x-amz-id-2": "more" };
const json = (status: number, body: unknown) =>
  responding(status, typeof body === "string" ? body : JSON.stringify(body), {
    "x-amzn-requestid": "request 1",
    "content-type": "application/x-amz-json-1.0",
  });
const dynamoDbError = (status: number, name: string, members: object = {}) =>
  json(status, { __type: `com.amazonaws.dynamodb.v20120810#${name}`, message: `about ${name}`, ...members });
const xml = (status: number, body: string, headers = {}) =>
  responding(status, `<?xml version="1.0" encoding="UTF-8"?>\n${body}`, {
    ...ids,
    ...headers,
    "content-type": "application/xml",
  });
const s3Error = (status: number, code: string, more = "") =>
  xml(status, `<Error><Code>${code}</Code><Message>about ${code}</Message>${more}</Error>`);

const OF_ANY: Readonly<Record<string, Respond>> = {
  "nothing in a success": responding(200, ""),
  "a page of another server": responding(200, "<html><p>captive portal", { "content-type": "text/html" }),
  "a bad gateway": responding(502, "<html>502</html>", { "content-type": "text/html" }),
  "nothing in an error of the server": responding(500, ""),
  "nothing in an error of the client": responding(400, ""),
  "nothing in 404": responding(404, ""),
  "a redirect": responding(307, "", { location: "http://127.0.0.1:1/" }),
  "an encoding that nobody asked for": responding(200, "{}", { "content-encoding": "gzip" }),
};

const OF_DYNAMODB: Readonly<Record<string, Respond>> = {
  ...OF_ANY,
  "an item": json(200, {
    Item: {
      BackupId: { S: "é \u2028" },
      N: { N: "1" },
      S: { S: 'a text with {"B":"AP8="}' },
      L: { L: [{ M: { x: { NULL: true } } }] },
    },
    Attributes: { CounterSum: { N: "12" } },
    Responses: { t: [KEY] },
    UnprocessedKeys: { t: { Keys: [KEY], ConsistentRead: true } },
    Items: [KEY, KEY],
    LastEvaluatedKey: KEY,
    Table: { TableStatus: "ACTIVE", CreationDateTime: 1_764_000_000.5 },
    Unknown: 1,
  }),
  "binary attributes": json(200, {
    Item: { A: { B: "AP8=" }, L: { L: [{ BS: ["AA==", ""] }] } },
    Attributes: { A: { M: { x: { B: "AP8=" } } } },
    Responses: { t: [{ A: { B: "" } }] },
    Items: [{ A: { BS: ["AP8="] } }],
  }),
  "attributes that are called as binary ones": json(200, { Item: { B: { S: "x" }, BS: { L: [] } } }),
  "space between members": json(200, '{ "Item" : { "A" : { "B" : "AP8=" } } }'),
  "nothing found": json(200, {}),
  "null members": json(200, { Item: null, Responses: null, Items: null }),
  "half of a response": json(200, '{"Item": {"BackupId": {"S": "b'),
  "a list in the place of members": json(200, "[]"),
  null: json(200, "null"),
  "another status of a success": json(201, { Item: KEY }),
  "a failed condition": dynamoDbError(400, "ConditionalCheckFailedException", { Item: KEY }),
  "a cancelled transaction": dynamoDbError(400, "TransactionCanceledException", {
    Message: "cancelled",
    CancellationReasons: [
      { Code: "None" },
      { Code: "ConditionalCheckFailed", Message: "failed", Item: KEY },
      { Code: "TransactionConflict" },
    ],
  }),
  "throttling of the table": dynamoDbError(400, "ProvisionedThroughputExceededException"),
  "throttling of the account": dynamoDbError(400, "ThrottlingException"),
  "a conflict with a transaction": dynamoDbError(400, "TransactionConflictException"),
  "a transaction in progress": dynamoDbError(400, "TransactionInProgressException"),
  "a missing table": dynamoDbError(400, "ResourceNotFoundException"),
  "a request that is wrong": dynamoDbError(400, "ValidationException"),
  "wrong credentials": dynamoDbError(400, "UnrecognizedClientException"),
  "an old signature": dynamoDbError(400, "InvalidSignatureException", {
    message: "Signature expired: 20261125T210000Z is now earlier than 20261125T211500Z",
  }),
  "an internal error": dynamoDbError(500, "InternalServerError"),
  "an error of an unknown name": dynamoDbError(400, "NewException", { Detail: "x" }),
  "an error without a name": json(400, { message: "x" }),
  "an error named by a header": responding(400, "{}", { "x-amzn-errortype": "ThrottlingException:http://x" }),
  "half of an error": json(400, '{"__type":"com.amazonaws.dynamodb.v2012'),
};

const page = `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>true</IsTruncated>
<NextContinuationToken>1&amp;2=</NextContinuationToken><Contents><Key>a &lt;b&gt; é</Key><Size>12</Size>
<LastModified>2026-02-03T04:05:06.000Z</LastModified><ETag>&quot;x&quot;</ETag></Contents></ListBucketResult>`;

const OF_S3: Readonly<Record<string, Respond>> = {
  ...OF_ANY,
  "a small object": responding(200, "no list, and yet with an </Error>", {
    ...ids,
    etag: '"abc"',
    "last-modified": "Tue, 03 Feb 2026 04:05:06 GMT",
    "x-amz-checksum-sha256": "clvNbGbQKs9uvquckkEOAQ6iLjNodiVqrwWiEfTOGQI=",
    "x-amz-meta-a": "b",
    "x-amz-server-side-encryption": "aws:kms",
  }),
  "a large object": responding(200, "x".repeat(400_000)),
  "an object without its length": (response) => {
    response.writeHead(200, ids);
    response.write("con");
    response.end("tent");
  },
  "a part of an object": responding(206, "tent", { etag: '"abc"', "content-range": "bytes 3-6/7" }),
  "a date that is none": responding(200, "", { expires: "0" }),
  "no content": responding(204, ""),
  "not modified": responding(304, ""),
  "a page of a list": xml(200, page),
  "an empty list": xml(200, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"),
  "half of a list": xml(200, page.slice(0, 200)),
  "an error in a success": xml(200, "<Error><Code>InternalError</Code><Message>late</Message></Error>"),
  "another region": s3Error(301, "PermanentRedirect", "<Endpoint>s3.us-west-2.amazonaws.com</Endpoint>"),
  "a body that came too slowly": s3Error(400, "RequestTimeout"),
  "no permission": s3Error(403, "AccessDenied"),
  "a clock that is wrong": s3Error(
    403,
    "RequestTimeTooSkewed",
    "<ServerTime>2026-02-03T04:35:06Z</ServerTime><MaxAllowedSkewMilliseconds>900000</MaxAllowedSkewMilliseconds>",
  ),
  "no object": s3Error(404, "NoSuchKey", "<Key>b1/blobs/1</Key>"),
  "no bucket": s3Error(404, "NoSuchBucket"),
  "a conflict of conditional requests": s3Error(409, "ConditionalRequestConflict"),
  "a failed condition": s3Error(412, "PreconditionFailed", "<Condition>If-None-Match</Condition>"),
  "a range beyond the end": s3Error(416, "InvalidRange"),
  "too many requests": s3Error(503, "SlowDown"),
  "an internal error": s3Error(500, "InternalError"),
  "half of an error": xml(404, "<Error><Code>NoSuch"),
};

/** Responses that the SDK takes for a success of operations to which S3 or DynamoDB never sends them. */
const OF_NO_STORE = new Set([
  "nothing in a success",
  "a page of another server",
  "an encoding that nobody asked for",
  "a list in the place of members",
  "null",
  "a large object",
  "an object without its length",
  "a part of an object",
]);

/** What may become of a connection. */
const FAULTS: Readonly<Record<string, Respond>> = {
  "closed before the response": (response) => response.destroy(),
  "reset before the response": (response) => void response.socket?.resetAndDestroy(),
  "closed in the head": (response) => raw(response, "HTTP/1.1 200 OK\r\ncontent-le"),
  "closed in a small body": (response) => raw(response, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"),
  "closed in a large body": (response) =>
    raw(response, `HTTP/1.1 200 OK\r\ncontent-length: 900000\r\n\r\n${"x".repeat(300_000)}`),
  "closed in a chunk": (response) =>
    raw(response, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\nhalf"),
  "no HTTP": (response) => raw(response, "what?\r\n\r\n"),
  silent: () => {},
  "silent in a small body": (response) => void response.writeHead(200, { "content-length": 9 }).write("half"),
  "silent in a large body": (response) =>
    void response.writeHead(200, { "content-length": 900_000 }).write("half"),
};

function raw(response: ServerResponse, text: string): void {
  response.socket?.end(text);
}

describe("a direct client", () => {
  async function both<T>(read: (clients: Clients) => Promise<T>): Promise<{ ofTheSdk: T; direct: T }> {
    using pair = clientPair(aws.url);
    return { ofTheSdk: await read(pair.sdk), direct: await read(pair.direct) };
  }

  const tables = [
    ["DynamoDB", DYNAMODB_REQUESTS, OF_DYNAMODB],
    ["S3", S3_REQUESTS, OF_S3],
  ] as const;
  for (const [service, sends, responses] of tables)
    for (const [name, respond] of Object.entries(responses))
      test(`makes of ${name} from ${service} what the SDK makes of it`, async () => {
        aws.respond = respond;
        for (const [operation, send] of Object.entries(sends)) {
          const { ofTheSdk, direct } = await both((clients) => seenOf(send(clients, {})));
          if (OF_NO_STORE.has(name) && !("value" in direct))
            expect(direct).toMatchObject({ fault: undefined });
          else expect({ operation, ...direct }).toEqual({ operation, ...ofTheSdk });
        }
      });

  for (const [fault, respond] of Object.entries(FAULTS))
    test(`reports the same outcome as the SDK where a connection is ${fault}`, async () => {
      aws.respond = respond;
      for (const [operation, send] of Object.entries({ ...DYNAMODB_REQUESTS, ...S3_REQUESTS })) {
        if (operation.startsWith("Head") && /body|chunk/.test(fault)) continue; // its response has none
        const { ofTheSdk, direct } = await both((clients) => verdictOn(send, clients));
        expect({ operation, ...direct }).toEqual({ operation, ...ofTheSdk });
      }
    });

  test("reports, as the SDK, that nothing was sent where no server listens", async () => {
    using pair = clientPair("http://127.0.0.1:1");
    const verdicts = [pair.sdk, pair.direct].map((clients) => verdictOn(DYNAMODB_REQUESTS.GetItem, clients));
    expect(await Promise.all(verdicts)).toEqual([
      { result: "unavailable", isInDoubt: false },
      { result: "unavailable", isInDoubt: false },
    ]);
  });

  test("sends nothing once it is aborted", async () => {
    using pair = clientPair(aws.url);
    for (const clients of [pair.sdk, pair.direct])
      await expect(DYNAMODB_REQUESTS.GetItem(clients, { abortSignal: AbortSignal.abort() })).rejects.toThrow(
        expect.objectContaining({ name: "AbortError" }),
      );
    expect(aws.seen).toEqual([]);
  });
});

/** What a caller can see of a result. */
async function seenOf(result: Promise<unknown>): Promise<object> {
  try {
    const { $metadata, Body, Expires, ExpiresString, ...value } = Object(await result);
    return {
      value,
      status: $metadata.httpStatusCode,
      request: [$metadata.requestId, $metadata.extendedRequestId],
      body: Body instanceof Readable && (await Array.fromAsync(Body)).join(""),
    };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const { $metadata, $fault, ...members } = Object(error);
    return {
      name: error.name,
      kind: error.constructor.name,
      fault: $fault,
      status: $metadata?.httpStatusCode,
      skewMs: clockSkewMs(error) === null ? null : "is skewed",
      // what cannot be read is not worded alike
      ...("$fault" in error && { message: error.message, members }),
    };
  }
}

/** What the only place that retries makes of it. */
async function verdictOn(send: Send, clients: Clients): Promise<object> {
  const policy = { budgetMs: 0, attemptMs: 100, firstPauseMs: 0, maxPauseMs: 0 };
  let isInDoubt = false;
  const result = await withRetries(
    "it failed",
    policy,
    systemRandom,
    async (abortSignal) => {
      const { Body } = Object(await send(clients, { abortSignal }));
      // what comes later has its own deadline
      const timer = setTimeout(() => Body?.destroy(new Error("silent")), policy.attemptMs / 2);
      try {
        return Body instanceof Readable && (await Array.fromAsync(Body)).join("").length;
      } catch (error) {
        throw new TryAgain("the body broke off", { cause: error }); // as the blob store does
      } finally {
        clearTimeout(timer);
      }
    },
    () => {
      isInDoubt = true;
    },
  ).catch((error: unknown) => (error instanceof StorageUnavailable ? "unavailable" : error));
  return { result, isInDoubt };
}
