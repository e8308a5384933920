import { describe, expect, test } from "bun:test";
import { randomUUID } from "node:crypto";
import { DescribeTableCommand, DescribeTimeToLiveCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import {
  GetBucketLifecycleConfigurationCommand,
  GetBucketVersioningCommand,
  GetPublicAccessBlockCommand,
  type LifecycleRule,
  PutBucketEncryptionCommand,
  PutBucketLifecycleConfigurationCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { loadConfig } from "../../src/config/config.ts";
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import { openAwsBlobs } from "../../src/storage/aws/blobs.ts";
import { openAwsRecords } from "../../src/storage/aws/records.ts";
import { DRIVERS } from "../drivers.ts";
import { awsEnvironment } from "../support/aws-storage.ts";
import { startS3Endpoint } from "../support/s3-endpoint.ts";
import { runCommand } from "./run-command.ts";

type Variables = Record<string, string>;

/** The variables of a storage that does not exist yet. */
async function newNames(): Promise<Variables> {
  const name = `setup-${randomUUID()}`;
  return {
    ...(await awsEnvironment()),
    BACKUP_S3_BUCKET: name,
    DYNAMODB_TABLE_FACTOR_LOOKUP: `${name}-factor-lookup`,
    DYNAMODB_TABLE_BACKUPS: `${name}-backups`,
    DYNAMODB_TABLE_ONE_TIME: `${name}-one-time`,
    DYNAMODB_TABLE_HISTORY: `${name}-history`,
  };
}

async function runSetup(env: Variables, ...args: string[]) {
  const { status, output, errors } = await runCommand("aws-setup", env, ...args);
  const lines = output.trim().split("\n");
  return { status, lines, errors, withMark: (mark: string) => lines.filter((line) => line.startsWith(mark)) };
}

function fail(): never {
  throw new Error("a rule is missing");
}

function clientsOf(env: Variables) {
  const credentials = {
    accessKeyId: env.AWS_ACCESS_KEY_ID ?? "",
    secretAccessKey: env.AWS_SECRET_ACCESS_KEY ?? "",
  };
  const shared = { region: env.AWS_REGION ?? "", credentials };
  return {
    s3: new S3Client({ ...shared, endpoint: env.AWS_ENDPOINT_URL_S3 ?? "", forcePathStyle: true }),
    dynamoDb: new DynamoDBClient({ ...shared, endpoint: env.AWS_ENDPOINT_URL_DYNAMODB ?? "" }),
  };
}

if (DRIVERS.some((driver) => driver.name === "aws"))
  describe("aws:setup", () => {
    test("reports what is missing, creates it, and has nothing to do the next time", async () => {
      const env = await newNames();
      const before = await runSetup(env, "--check");
      expect(before.status).toBe(1);
      expect(before.withMark("MISSING")).toHaveLength(before.lines.length);
      expect(before.lines).toContain(`MISSING  the bucket ${env.BACKUP_S3_BUCKET}`);

      const made = await runSetup(env);
      expect(made).toMatchObject({ status: 0, errors: "" });
      expect(made.lines).toHaveLength(before.lines.length);
      expect(made.lines).toContain(`created  the table ${env.DYNAMODB_TABLE_BACKUPS}`);

      for (const again of [await runSetup(env), await runSetup(env, "--check")]) {
        expect(again.status).toBe(0);
        expect(again.withMark("created")).toEqual([]);
        expect(again.withMark("MISSING")).toEqual([]);
        expect(again.lines).toContain(`ok       the bucket ${env.BACKUP_S3_BUCKET}`);
      }
    });

    test("makes a bucket and tables as the service needs them", async () => {
      const env = await newNames();
      await runSetup(env);
      const { s3, dynamoDb } = clientsOf(env);
      const Bucket = env.BACKUP_S3_BUCKET ?? "";
      expect((await s3.send(new GetBucketVersioningCommand({ Bucket }))).Status).toBe("Enabled");
      const access = await s3.send(new GetPublicAccessBlockCommand({ Bucket }));
      expect(Object.values(access.PublicAccessBlockConfiguration ?? {})).toEqual([true, true, true, true]);
      const { Rules } = await s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
      expect(Rules).toMatchObject([
        { Status: "Enabled", AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 } },
        { Status: "Enabled", NoncurrentVersionExpiration: { NoncurrentDays: 7 } },
      ]);
      const TableName = env.DYNAMODB_TABLE_ONE_TIME ?? "";
      const { Table } = await dynamoDb.send(new DescribeTableCommand({ TableName }));
      expect(Table).toMatchObject({
        KeySchema: [{ AttributeName: "PK", KeyType: "HASH" }],
        BillingModeSummary: { BillingMode: "PAY_PER_REQUEST" },
      });
      const history = env.DYNAMODB_TABLE_HISTORY ?? "";
      const described = await dynamoDb.send(new DescribeTableCommand({ TableName: history }));
      expect(described.Table?.KeySchema).toEqual([
        { AttributeName: "PK", KeyType: "HASH" },
        { AttributeName: "SK", KeyType: "RANGE" },
      ]);
      for (const name of [TableName, history]) {
        const { TimeToLiveDescription } = await dynamoDb.send(
          new DescribeTimeToLiveCommand({ TableName: name }),
        );
        expect(TimeToLiveDescription).toMatchObject({ AttributeName: "ExpiresAt" });
      }

      const { storage } = loadConfig({ ...env, APP_ENV: "development", STORAGE_DRIVER: "aws" });
      if (storage.driver !== "aws") throw new Error("another driver was configured");
      Object.assign(process.env, { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" });
      await using records = await openAwsRecords(storage, { clock: systemClock, random: systemRandom });
      await using blobs = await openAwsBlobs(storage, { random: systemRandom });
      await records.ready();
      await blobs.ready();
    });

    test("keeps the lifecycle rules of others", async () => {
      const env = await newNames();
      await runSetup(env);
      const { s3 } = clientsOf(env);
      const Bucket = env.BACKUP_S3_BUCKET ?? "";
      const theirs = {
        ID: "theirs",
        Status: "Enabled",
        Filter: { Prefix: "logs/" },
        Expiration: { Days: 7 },
      } as const;
      await s3.send(
        new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules: [theirs] } }),
      );
      const check = await runSetup(env, "--check");
      expect(check.status).toBe(1);
      expect(check.withMark("MISSING")).toEqual([`MISSING  lifecycle rules of ${Bucket}`]);
      await runSetup(env);
      const { Rules } = await s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
      expect(Rules?.map((rule) => rule.ID)).toEqual([
        "theirs",
        "backup-service-incomplete-uploads",
        "backup-service-noncurrent-versions",
      ]);
    });

    test("replaces a rule that no longer does its work, and leaves the number of days to the operator", async () => {
      const env = await newNames();
      await runSetup(env);
      const { s3 } = clientsOf(env);
      const Bucket = env.BACKUP_S3_BUCKET ?? "";
      const rules = async () =>
        (await s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket }))).Rules ?? [];
      const put = (Rules: LifecycleRule[]) =>
        s3.send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules } }));
      const [uploads = fail(), versions = fail()] = await rules();

      const longer = { ...versions, NoncurrentVersionExpiration: { NoncurrentDays: 30 } };
      await put([uploads, longer]);
      expect((await runSetup(env)).lines).toContain(`ok       lifecycle rules of ${Bucket}`);
      expect(await rules()).toEqual([uploads, longer]);
      // as some endpoints give a filter back that leaves nothing out
      await put([uploads, { ...longer, Filter: {} }]);
      expect((await runSetup(env)).lines).toContain(`ok       lifecycle rules of ${Bucket}`);

      const { NoncurrentVersionExpiration: _, ...idle } = versions;
      for (const changed of [
        idle,
        { ...versions, Status: "Disabled" as const },
        { ...versions, Filter: { Prefix: "elsewhere/" } },
        { ...versions, Filter: { ObjectSizeGreaterThan: 1 } },
        { ...versions, Expiration: { Days: 1 } }, // which deletes current backups
        { ...versions, Transitions: [{ Days: 1, StorageClass: "GLACIER" as const }] },
        { ...versions, NoncurrentVersionExpiration: { NoncurrentDays: 7, NewerNoncurrentVersions: 100 } },
      ]) {
        await put([uploads, changed]);
        expect((await runSetup(env)).lines).toContain(`created  lifecycle rules of ${Bucket}`);
        expect(await rules()).toEqual([uploads, versions]);
      }
    });

    test("makes the bucket in its region, also one that is newer than the SDK", async () => {
      for (const AWS_REGION of ["us-east-1", "eu-central-1", "xx-newest-1"]) {
        const env: Variables = { ...(await newNames()), AWS_REGION };
        expect((await runSetup(env)).lines).toContain(`created  the bucket ${env.BACKUP_S3_BUCKET}`);
      }
    });

    test("sets the bucket's default key where one is configured", async () => {
      const kmsKeyArn = "arn:aws:kms:eu-west-1:000000000000:key/1";
      const env: Variables = { ...(await newNames()), BACKUP_S3_BUCKET_KMS_KEY_ARN: kmsKeyArn };
      const what = `encryption of ${env.BACKUP_S3_BUCKET} with ${kmsKeyArn}`;
      expect((await runSetup(env)).lines).toContain(`created  ${what}`);
      expect((await runSetup(env, "--check")).lines).toContain(`ok       ${what}`);

      const { s3 } = clientsOf(env);
      const ApplyServerSideEncryptionByDefault = {
        SSEAlgorithm: "aws:kms",
        KMSMasterKeyID: kmsKeyArn,
      } as const;
      await s3.send(
        new PutBucketEncryptionCommand({
          Bucket: env.BACKUP_S3_BUCKET ?? "",
          ServerSideEncryptionConfiguration: { Rules: [{ ApplyServerSideEncryptionByDefault }] },
        }),
      );
      // without a bucket key each object costs a call to KMS
      expect((await runSetup(env, "--check")).lines).toContain(`MISSING  ${what}`);
    });

    test("only warns of what an endpoint does not implement", async () => {
      const s3 = startS3Endpoint({ unsupported: ["publicAccessBlock"] });
      const env: Variables = { ...(await newNames()), AWS_ENDPOINT_URL_S3: s3.url };
      const what = `no public access to ${env.BACKUP_S3_BUCKET} is not supported by this endpoint`;
      for (const args of [[], ["--check"]]) {
        const { status, withMark } = await runSetup(env, ...args);
        expect(status).toBe(0);
        expect(withMark("warning")).toContain(`warning  ${what}`);
      }
      await s3.stop();
    });

    test("refuses a table that has other keys", async () => {
      const env = await newNames();
      const swapped = { ...env, DYNAMODB_TABLE_FACTOR_LOOKUP: env.DYNAMODB_TABLE_BACKUPS ?? "" };
      await runSetup(env);
      const { status, errors } = await runSetup(swapped);
      expect(status).toBe(2);
      expect(errors).toContain(`the table ${env.DYNAMODB_TABLE_BACKUPS} exists with the key BackupId`);
    });

    test("reports which variables are missing, and how it is used", async () => {
      const unset = await runSetup({});
      expect(unset.status).toBe(2);
      expect(unset.errors).toBe(
        "AWS_REGION is required while STORAGE_DRIVER is aws\nBACKUP_S3_BUCKET is required while STORAGE_DRIVER is aws\n",
      );
      const wrong = await runSetup({}, "--chekc");
      expect(wrong.status).toBe(2);
      expect(wrong.errors).toContain("Usage: bun run aws:setup [--check]");
      const help = await runSetup({}, "--help");
      expect(help).toMatchObject({ status: 0, errors: "" });
      expect(help.lines).toContain("Usage: bun run aws:setup [--check]");
    });

    test("an endpoint that does not answer is reported in one line", async () => {
      const env = { ...(await newNames()), AWS_ENDPOINT_URL_S3: "http://127.0.0.1:1" };
      const { status, errors } = await runSetup(env, "--check");
      expect(status).toBe(2);
      expect(errors).toMatch(/^.*ECONNREFUSED.*\n$/);
    });
  });
