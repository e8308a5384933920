/** A record store on DynamoDB whose requests pass a proxy that can make them fail. */
import { systemRandom } from "../../src/runtime/clock.ts";
import { openAwsRecords } from "../../src/storage/aws/records.ts";
import type { RetryPolicy } from "../../src/storage/aws/retry.ts";
import { LONG_RETRIES, newAwsStorage } from "../support/aws-storage.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";
import { SettableClock } from "../support/settable-clock.ts";

/** The usual time, and pauses that cost a test nothing. */
export const SHORT_PAUSES = { ...LONG_RETRIES, firstPauseMs: 2, maxPauseMs: 10 };

export type ProxiedRecords = Awaited<ReturnType<typeof openProxiedRecords>>;

export async function openProxiedRecords(retry: Partial<RetryPolicy> = SHORT_PAUSES) {
  const clock = new SettableClock();
  const storage = await newAwsStorage();
  const proxy = await startFaultProxy(storage.config.dynamoDbEndpoint ?? "");
  const config = { ...storage.config, dynamoDbEndpoint: proxy.url };
  const options = { clock, random: systemRandom, retry: LONG_RETRIES };
  const records = await openAwsRecords(config, { ...options, retry });
  const healthy = await openAwsRecords(storage.config, options);
  return {
    clock,
    storage,
    proxy,
    records,
    /** On the same tables, without the proxy. */
    healthy,
    async [Symbol.asyncDispose]() {
      for (const resource of [records, healthy, proxy, storage]) await resource[Symbol.asyncDispose]();
    },
  };
}
