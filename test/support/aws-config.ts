/** The configuration of the AWS driver for tests whose stores are not the emulators. */
import type { AwsStorageConfig } from "../../src/config/storage.ts";

export const BUCKET = "bucket";

/** Both stores at that endpoint. */
export function awsConfigAt(url: string): AwsStorageConfig {
  return {
    driver: "aws",
    region: "eu-west-1",
    bucket: BUCKET,
    kmsKeyArn: null,
    tables: { factorLookup: "factors", backups: "backups", oneTime: "one-time", history: "history" },
    s3Endpoint: url,
    dynamoDbEndpoint: url,
  };
}

/** Stores that are opened in this process find credentials where the SDK looks for them. */
export function setAwsCredentials(): void {
  process.env.AWS_ACCESS_KEY_ID ??= "test";
  process.env.AWS_SECRET_ACCESS_KEY ??= "test-secret";
}
