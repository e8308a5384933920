import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DeleteTableCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import {
  DeleteBucketCommand,
  DeleteObjectCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
} from "@aws-sdk/client-s3";
import type { AwsStorageConfig } from "../../src/config/storage.ts";
import { openAwsBlobs } from "../../src/storage/aws/blobs.ts";
import { openAwsRecords } from "../../src/storage/aws/records.ts";
import { bucketRequirement } from "../../src/storage/aws/setup-bucket.ts";
import { tableRequirements } from "../../src/storage/aws/setup-tables.ts";
import type { StoreOptions, TestStorage } from "../drivers.ts";
import { setAwsCredentials } from "./aws-config.ts";
import { startDynamoDb } from "./dynamodb-endpoint.ts";
import { startS3Endpoint } from "./s3-endpoint.ts";

/** Small pages, so that a list needs several. */
const PAGE_KEYS = 50;
/** An emulator on a busy machine may take longer than AWS does. */
export const LONG_RETRIES = { attemptMs: 60_000, budgetMs: 120_000 };

/** Started when the first storage is made, and shared by all of this process. */
let dynamoDb: Promise<string> | undefined;
let s3: string | undefined;

async function dynamoDbEndpoint(): Promise<string> {
  dynamoDb ??= Promise.resolve(process.env.TEST_DYNAMODB_ENDPOINT ?? startDynamoDb());
  return dynamoDb;
}

function s3Endpoint(): string {
  s3 ??= process.env.TEST_S3_ENDPOINT ?? startS3Endpoint({ pageKeys: PAGE_KEYS }).url;
  return s3;
}

/** The variables that no storage has for itself: where AWS is, and who asks. */
export async function awsEnvironment(): Promise<Record<string, string>> {
  return {
    AWS_REGION: process.env.AWS_REGION ?? "eu-west-1",
    AWS_ACCESS_KEY_ID: process.env.AWS_ACCESS_KEY_ID ?? "test",
    AWS_SECRET_ACCESS_KEY: process.env.AWS_SECRET_ACCESS_KEY ?? "test-secret",
    AWS_ENDPOINT_URL_S3: s3Endpoint(),
    AWS_ENDPOINT_URL_DYNAMODB: await dynamoDbEndpoint(),
  };
}

/** A bucket and tables of their own on the endpoints that `TEST_S3_ENDPOINT` and `TEST_DYNAMODB_ENDPOINT` name, or on ours. */
export async function newAwsStorage(): Promise<TestStorage & { readonly config: AwsStorageConfig }> {
  const shared = await awsEnvironment();
  setAwsCredentials();
  const name = `test-${randomUUID()}`;
  const config: AwsStorageConfig = {
    driver: "aws",
    region: shared.AWS_REGION ?? "",
    bucket: name,
    kmsKeyArn: null,
    tables: {
      factorLookup: `${name}-factor-lookup`,
      backups: `${name}-backups`,
      oneTime: `${name}-one-time`,
      history: `${name}-history`,
    },
    s3Endpoint: s3Endpoint(),
    dynamoDbEndpoint: await dynamoDbEndpoint(),
  };
  const objects = new S3Client({ region: config.region, endpoint: s3Endpoint(), forcePathStyle: true });
  const tables = new DynamoDBClient({ region: config.region, endpoint: await dynamoDbEndpoint() });
  const requirements = [bucketRequirement(objects, config), ...tableRequirements(tables, config)];
  await Promise.all(requirements.map((requirement) => requirement.meet()));
  const dataDir = await mkdtemp(join(tmpdir(), "backup-service-"));

  return {
    config,
    env: {
      ...shared,
      STORAGE_DRIVER: "aws",
      DATA_DIR: dataDir, // a service in development keeps its generated keys there
      BACKUP_S3_BUCKET: config.bucket,
      DYNAMODB_TABLE_FACTOR_LOOKUP: config.tables.factorLookup,
      DYNAMODB_TABLE_BACKUPS: config.tables.backups,
      DYNAMODB_TABLE_ONE_TIME: config.tables.oneTime,
      DYNAMODB_TABLE_HISTORY: config.tables.history,
    },

    async open(options: StoreOptions) {
      const records = await openAwsRecords(config, { ...options, retry: LONG_RETRIES });
      const blobs = await openAwsBlobs(config, { ...options, retry: LONG_RETRIES });
      return {
        records,
        blobs,
        async [Symbol.asyncDispose]() {
          await records[Symbol.asyncDispose]();
          await blobs[Symbol.asyncDispose]();
        },
      };
    },

    async overwriteBlob(key, content) {
      await objects.send(new PutObjectCommand({ Bucket: config.bucket, Key: key, Body: content }));
    },

    async [Symbol.asyncDispose]() {
      for await (const { Contents = [] } of paginateListObjectsV2(
        { client: objects },
        { Bucket: config.bucket },
      ))
        for (const { Key } of Contents)
          await objects.send(new DeleteObjectCommand({ Bucket: config.bucket, Key }));
      await objects.send(new DeleteBucketCommand({ Bucket: config.bucket }));
      await Promise.all(
        Object.values(config.tables).map((TableName) => tables.send(new DeleteTableCommand({ TableName }))),
      );
      objects.destroy();
      tables.destroy();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
