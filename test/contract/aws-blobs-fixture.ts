/** A blob store of the aws driver with a proxy before its S3 that injects faults. */
import { S3Client } from "@aws-sdk/client-s3";
import type { AwsStorageConfig } from "../../src/config/storage.ts";
import { systemRandom } from "../../src/runtime/clock.ts";
import { type AwsBlobsOptions, openAwsBlobs } from "../../src/storage/aws/blobs.ts";
import { newAwsStorage } from "../support/aws-storage.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";

/** Time for everything, also on a busy machine. */
export const RETRY = { budgetMs: 120_000, attemptMs: 60_000, firstPauseMs: 2, maxPauseMs: 10 };

export async function openAwsFixture(
  change: Partial<AwsStorageConfig> = {},
  options: Partial<AwsBlobsOptions> = {},
) {
  const storage = await newAwsStorage();
  const proxy = await startFaultProxy(storage.config.s3Endpoint ?? "");
  const config = { ...storage.config, s3Endpoint: proxy.url, ...change };
  const blobs = await openAwsBlobs(config, { random: systemRandom, retry: RETRY, ...options });
  const s3 = new S3Client({
    region: storage.config.region,
    endpoint: storage.config.s3Endpoint ?? "",
    forcePathStyle: true,
  });
  return {
    storage,
    proxy,
    blobs,
    s3,
    bucket: storage.config.bucket,
    async [Symbol.asyncDispose]() {
      s3.destroy();
      for (const resource of [blobs, proxy, storage]) await resource[Symbol.asyncDispose]();
    },
  };
}
