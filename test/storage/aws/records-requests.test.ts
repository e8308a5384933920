/** What the stores do with the requests of one call, and with their connections. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { AwsStorageConfig } from "../../../src/config/storage.ts";
import { systemClock, systemRandom } from "../../../src/runtime/clock.ts";
import { openAwsBlobs } from "../../../src/storage/aws/blobs.ts";
import { openAwsRecords } from "../../../src/storage/aws/records.ts";
import { StorageUnavailable } from "../../../src/storage/contract.ts";
import { type ScriptedEndpoint, startScriptedEndpoint } from "./direct/scripted-endpoint.ts";

const OPTIONS = { clock: systemClock, random: systemRandom, retry: { budgetMs: -1, attemptMs: 60_000 } };

let endpoint: ScriptedEndpoint;

function configFor(url: string): AwsStorageConfig {
  return {
    driver: "aws",
    region: "eu-west-1",
    bucket: "bucket",
    kmsKeyArn: null,
    tables: { factorLookup: "factors", backups: "backups", oneTime: "one-time", history: "history" },
    s3Endpoint: url,
    dynamoDbEndpoint: url,
  };
}

beforeAll(async () => {
  process.env.AWS_ACCESS_KEY_ID ??= "test";
  process.env.AWS_SECRET_ACCESS_KEY ??= "test-secret";
  endpoint = await startScriptedEndpoint();
});
afterAll(() => endpoint[Symbol.asyncDispose]());

const soon = Date.now() + 60_000;
const nonces = ["n1", "n2"].map((id) => ({ id, expiresAtMs: soon }));
const event = {
  ...{ id: "e1", backupId: "b1", atMs: 1, body: {}, logId: "log", expiresAtMs: soon },
  deliverFromMs: null,
};

test("a release ends when all of its requests have", async () => {
  await using records = await openAwsRecords(configFor(endpoint.url), OPTIONS);
  endpoint.respond = (response) => void response.end("{}");
  const consumption = await records.consume(nonces, undefined, [event]);
  const waiting: (() => void)[] = [];
  endpoint.respond = (response) => void waiting.push(() => response.end("{}"));
  let isReleased = false;
  const released = consumption?.release().then(() => {
    isReleased = true;
  });
  while (waiting.length < 3) await new Promise(setImmediate);
  for (const respond of waiting) {
    expect(isReleased).toBe(false);
    const before = performance.now();
    respond();
    while (performance.now() < before + 5) await new Promise(setImmediate);
  }
  await released;
});

test("a release that DynamoDB refuses is an outage", async () => {
  await using records = await openAwsRecords(configFor(endpoint.url), OPTIONS);
  endpoint.respond = (response) => void response.end("{}");
  const consumption = await records.consume(nonces);
  const refusal = JSON.stringify({ __type: "com.amazonaws.dynamodb.v20120810#AccessDeniedException" });
  endpoint.respond = (response) => void response.writeHead(400).end(refusal);
  await expect(consumption?.release()).rejects.toBeInstanceOf(StorageUnavailable);
});

test("the stores close their connections", async () => {
  const open = new Set<Socket>();
  let closed = () => {};
  const server = createServer({ keepAliveTimeout: 0 }, ({ method }, response) =>
    response.end(method === "DELETE" ? "" : "{}"),
  );
  server.on("connection", (socket) => {
    open.add(socket);
    socket.on("close", () => {
      open.delete(socket);
      closed();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const config = configFor(`http://127.0.0.1:${port}`);
  const [records, blobs] = await Promise.all([
    openAwsRecords(config, OPTIONS),
    openAwsBlobs(config, OPTIONS),
  ]);
  await records.read("b1");
  await blobs.delete("b1/blobs/1");
  expect(open.size).toBe(2);
  await records[Symbol.asyncDispose]();
  await blobs[Symbol.asyncDispose]();
  while (open.size > 0) await new Promise<void>((resolve) => (closed = resolve));
  server.close();
});
