/** The bucket and the table of the other service, on the endpoints that the tests of the aws driver use. */
import { randomUUID } from "node:crypto";
import {
  CreateTableCommand,
  DeleteTableCommand,
  DynamoDBClient,
  PutItemCommand,
  ScanCommand,
} from "@aws-sdk/client-dynamodb";
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
} from "@aws-sdk/client-s3";
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import type { LegacyLocation } from "../../src/storage/aws/legacy/source.ts";
import { setAwsCredentials } from "./aws-config.ts";
import { awsEnvironment } from "./aws-storage.ts";
import type { LegacyUser } from "./legacy-users.ts";

export interface LegacyStores extends AsyncDisposable {
  readonly location: LegacyLocation;
  /** The variables with which a command finds it. */
  readonly env: Readonly<Record<string, string>>;
  /** The arguments with which a command finds it. */
  readonly args: readonly string[];
  /** Stores backups as the other service has them. */
  add(...users: readonly LegacyUser[]): Promise<void>;
  putObject(key: string, content: string | Uint8Array): Promise<void>;
  deleteObject(key: string): Promise<void>;
  putRow(key: string, backupId: string, lastUsedAt?: number): Promise<void>;
  /** Every object and every row, to see that nothing has changed. */
  contents(): Promise<ReadonlyMap<string, string>>;
}

/** For {@link openLegacySource}: fast, since nobody else uses the stores. */
export const LEGACY_OPTIONS = { clock: systemClock, random: systemRandom, callsPerSecond: 1_000_000 };

export async function newLegacyStores(): Promise<LegacyStores> {
  const env = await awsEnvironment();
  setAwsCredentials();
  const { AWS_REGION: region = "", AWS_ENDPOINT_URL_S3: s3Endpoint = "" } = env;
  const { AWS_ENDPOINT_URL_DYNAMODB: dynamoDbEndpoint = "" } = env;
  const name = `other-${randomUUID()}`;
  const location = { bucket: name, table: name, region, s3Endpoint, dynamoDbEndpoint };
  const s3 = new S3Client({ region, endpoint: s3Endpoint, forcePathStyle: true });
  const dynamoDb = new DynamoDBClient({ region, endpoint: dynamoDbEndpoint });
  await s3.send(
    new CreateBucketCommand({
      Bucket: name,
      ...(region === "us-east-1" ? {} : { CreateBucketConfiguration: { LocationConstraint: "eu-west-1" } }),
    }),
  );
  await dynamoDb.send(
    new CreateTableCommand({
      TableName: name,
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: [{ AttributeName: "PK", AttributeType: "S" }],
      KeySchema: [{ AttributeName: "PK", KeyType: "HASH" }],
    }),
  );

  async function* keys(): AsyncGenerator<string> {
    for await (const { Contents = [] } of paginateListObjectsV2({ client: s3 }, { Bucket: name }))
      for (const { Key = "" } of Contents) yield Key;
  }

  const stores: LegacyStores = {
    location,
    env,
    args: ["--bucket", name, "--table", name, "--rate", "100000"],

    async add(...users) {
      for (const { id, metadata, content, ciphertextKey, rows } of users) {
        await stores.putObject(ciphertextKey, content);
        await stores.putObject(`${id}/metadata`, JSON.stringify(metadata));
        for (const { key, lastUsedAt } of rows) await stores.putRow(key, id, lastUsedAt);
      }
    },

    async putObject(key, content) {
      const Body = typeof content === "string" ? new TextEncoder().encode(content) : content;
      await s3.send(new PutObjectCommand({ Bucket: name, Key: key, Body }));
    },

    async deleteObject(key) {
      await s3.send(new DeleteObjectCommand({ Bucket: name, Key: key }));
    },

    async putRow(key, backupId, lastUsedAt) {
      const Item = {
        PK: { S: key },
        BackupId: { S: backupId },
        CreatedAt: { N: "1735689600123" },
        ...(lastUsedAt === undefined ? {} : { LastUsedAt: { N: `${lastUsedAt}` } }),
      };
      await dynamoDb.send(new PutItemCommand({ TableName: name, Item }));
    },

    async contents() {
      const found = new Map<string, string>();
      for await (const key of keys()) {
        const { Body } = await s3.send(new GetObjectCommand({ Bucket: name, Key: key }));
        found.set(key, (await Body?.transformToString("latin1")) ?? "");
      }
      const { Items = [] } = await dynamoDb.send(new ScanCommand({ TableName: name }));
      for (const item of Items) found.set(item.PK?.S ?? "", JSON.stringify(item));
      return found;
    },

    async [Symbol.asyncDispose]() {
      for await (const key of keys()) await stores.deleteObject(key);
      await s3.send(new DeleteBucketCommand({ Bucket: name }));
      await dynamoDb.send(new DeleteTableCommand({ TableName: name }));
      s3.destroy();
      dynamoDb.destroy();
    },
  };
  return stores;
}
