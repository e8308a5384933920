/** How many requests each operation sends to the stores of the aws driver, with what it leaves for after its response. */
import type { Driver } from "../drivers.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";
import { type LoadOperation, prepareRequests } from "./load.ts";
import { startBenchService } from "./service.ts";

const REQUESTS = 8;
/** Behind a response nothing takes longer to begin. */
const QUIET_MS = 500;

export async function countStoreCalls(
  aws: Driver,
  operations: readonly LoadOperation[],
  bytes: number,
): Promise<ReadonlyMap<LoadOperation, number>> {
  const storage = await aws.environment();
  await using s3 = await startFaultProxy(storage.env.AWS_ENDPOINT_URL_S3 ?? "");
  await using dynamoDb = await startFaultProxy(storage.env.AWS_ENDPOINT_URL_DYNAMODB ?? "");
  const env = { ...storage.env, AWS_ENDPOINT_URL_S3: s3.url, AWS_ENDPOINT_URL_DYNAMODB: dynamoDb.url };
  const driver = { ...aws, environment: async () => ({ ...storage, env }) };
  await using service = await startBenchService({ driver });
  const seen = () => s3.seen.length + dynamoDb.seen.length;

  async function settled(): Promise<number> {
    for (let before = -1; before !== seen(); await Bun.sleep(QUIET_MS)) before = seen();
    return seen();
  }

  const calls = new Map<LoadOperation, number>();
  for (const operation of operations) {
    const options = { url: service.url, operation, count: REQUESTS, concurrency: 1, bytes };
    const requests = await prepareRequests(options);
    const before = await settled();
    for (const { path, body, contentType } of requests) {
      const headers = { "content-type": contentType };
      const response = await fetch(service.url + path, {
        method: "POST",
        headers,
        body: new Uint8Array(Buffer.from(body)),
      });
      if (!response.ok) throw new Error(`${operation} was answered ${await response.text()}`);
      await response.arrayBuffer();
    }
    calls.set(operation, ((await settled()) - before) / REQUESTS);
  }
  return calls;
}
