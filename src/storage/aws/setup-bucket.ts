/** The bucket: versioned, without public access, and with lifecycle rules that delete old versions. */
import {
  CreateBucketCommand,
  GetBucketEncryptionCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketVersioningCommand,
  GetPublicAccessBlockCommand,
  HeadBucketCommand,
  type LifecycleRule,
  PutBucketEncryptionCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketVersioningCommand,
  PutPublicAccessBlockCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import type { AwsStorageConfig } from "../../config/storage.ts";
import { statusOf } from "./sdk-error.ts";
import type { Requirement } from "./setup.ts";

/** For how long a deleted or replaced object can be restored. Each sync leaves one, so every day costs storage. */
const NONCURRENT_DAYS = 7;

/** S3 replaces a lifecycle configuration as a whole: ours are known by their id, and others are kept. */
const RULES: readonly LifecycleRule[] = [
  {
    ID: "backup-service-incomplete-uploads",
    Status: "Enabled",
    Filter: { Prefix: "" },
    AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
  },
  {
    ID: "backup-service-noncurrent-versions",
    Status: "Enabled",
    Filter: { Prefix: "" },
    NoncurrentVersionExpiration: { NoncurrentDays: NONCURRENT_DAYS },
    Expiration: { ExpiredObjectDeleteMarker: true },
  },
];

const CLOSED = {
  BlockPublicAcls: true,
  IgnorePublicAcls: true,
  BlockPublicPolicy: true,
  RestrictPublicBuckets: true,
} as const;

export function bucketRequirement(s3: S3Client, { bucket, kmsKeyArn }: AwsStorageConfig): Requirement {
  return {
    what: `the bucket ${bucket}`,
    isMet: () => bucketExists(s3, bucket),
    meet: () => createBucket(s3, bucket),
    within: [
      versioning(s3, bucket),
      publicAccessBlock(s3, bucket),
      lifecycle(s3, bucket),
      ...(kmsKeyArn === null ? [] : [encryption(s3, bucket, kmsKeyArn)]),
    ],
  };
}

/** Creates the bucket, unless we own it already. The SDK names the region of its client where S3 wants that. */
async function createBucket(s3: S3Client, bucket: string): Promise<void> {
  try {
    await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  } catch (error) {
    if (!hasName(error, "BucketAlreadyOwnedByYou")) throw error;
  }
}

async function bucketExists(s3: S3Client, bucket: string): Promise<boolean> {
  try {
    await s3.send(new HeadBucketCommand({ Bucket: bucket }));
    return true;
  } catch (error) {
    if (statusOf(error) === 404) return false;
    if (statusOf(error) === 403)
      throw new Error(`the bucket ${bucket} belongs to another account, or the credentials may not use it`, {
        cause: error,
      });
    throw error;
  }
}

function versioning(s3: S3Client, bucket: string): Requirement {
  return {
    what: `versioning of ${bucket}`,
    isMet: async () =>
      (await s3.send(new GetBucketVersioningCommand({ Bucket: bucket }))).Status === "Enabled",
    async meet() {
      const enabled = { Status: "Enabled" } as const;
      await s3.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: enabled }));
    },
  };
}

function publicAccessBlock(s3: S3Client, bucket: string): Requirement {
  return {
    what: `no public access to ${bucket}`,
    async isMet() {
      const response = await unlessUnset("NoSuchPublicAccessBlockConfiguration", () =>
        s3.send(new GetPublicAccessBlockCommand({ Bucket: bucket })),
      );
      return Bun.deepEquals(response?.PublicAccessBlockConfiguration, CLOSED);
    },
    async meet() {
      await s3.send(
        new PutPublicAccessBlockCommand({ Bucket: bucket, PublicAccessBlockConfiguration: CLOSED }),
      );
    },
  };
}

function lifecycle(s3: S3Client, bucket: string): Requirement {
  const found = async () => {
    const response = await unlessUnset("NoSuchLifecycleConfiguration", () =>
      s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket: bucket })),
    );
    return response?.Rules ?? [];
  };
  return {
    what: `lifecycle rules of ${bucket}`,
    async isMet() {
      const rules = await found();
      return RULES.every((wanted) => rules.some((rule) => doesTheSame(rule, wanted)));
    },
    async meet() {
      const others = (await found()).filter((rule) => RULES.every(({ ID }) => rule.ID !== ID));
      const LifecycleConfiguration = { Rules: [...others, ...RULES] };
      await s3.send(new PutBucketLifecycleConfigurationCommand({ Bucket: bucket, LifecycleConfiguration }));
    },
  };
}

/** Whether a rule does the same as ours. The operator may choose other numbers of days. */
function doesTheSame(rule: LifecycleRule, wanted: LifecycleRule): boolean {
  return Bun.deepEquals(withoutDays(rule), withoutDays(wanted));
}

function withoutDays({ Filter, Prefix = "", ...rule }: LifecycleRule): unknown {
  const filtered = { ...rule, Filter: { Prefix, ...Filter } };
  return JSON.parse(JSON.stringify(filtered, (name, value) => (DAYS.has(name) ? null : value)));
}
const DAYS: ReadonlySet<string> = new Set(["DaysAfterInitiation", "NoncurrentDays"]);

function encryption(s3: S3Client, bucket: string, kmsKeyArn: string): Requirement {
  const byDefault = { SSEAlgorithm: "aws:kms", KMSMasterKeyID: kmsKeyArn } as const;
  return {
    what: `encryption of ${bucket} with ${kmsKeyArn}`,
    async isMet() {
      const response = await unlessUnset("ServerSideEncryptionConfigurationNotFoundError", () =>
        s3.send(new GetBucketEncryptionCommand({ Bucket: bucket })),
      );
      return (
        response?.ServerSideEncryptionConfiguration?.Rules?.some(
          (rule) =>
            rule.ApplyServerSideEncryptionByDefault?.KMSMasterKeyID === kmsKeyArn &&
            rule.BucketKeyEnabled === true,
        ) ?? false
      );
    },
    async meet() {
      await s3.send(
        new PutBucketEncryptionCommand({
          Bucket: bucket,
          ServerSideEncryptionConfiguration: {
            // a bucket key saves most of the calls to KMS, and with them most of the cost
            Rules: [{ ApplyServerSideEncryptionByDefault: byDefault, BucketKeyEnabled: true }],
          },
        }),
      );
    },
  };
}

/** `null` where the response is the error of a setting that was never made. */
async function unlessUnset<T>(errorName: string, ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask();
  } catch (error) {
    if (hasName(error, errorName)) return null;
    throw error;
  }
}

function hasName(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name;
}
