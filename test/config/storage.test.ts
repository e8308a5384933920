import { describe, expect, test } from "bun:test";
import { loadConfig } from "../../src/config/config.ts";
import { development, problemsOf, production, reads, refuses, requires } from "./environments.ts";

describe("the configuration of the storage", () => {
  requires(["AWS_REGION", "BACKUP_S3_BUCKET"]);

  reads([
    [
      { DATA_DIR: "/var/lib/x" },
      { storage: { dataDir: "/var/lib/x" }, challengeTokens: { generatedKeyDir: "/var/lib/x" } },
    ],
  ]);

  refuses([["STORAGE_DRIVER", ["s3", "Local"]]]);

  test("reads the variables of the aws driver", () => {
    const env = {
      ...production,
      BACKUP_S3_BUCKET_KMS_KEY_ARN: "arn:aws:kms:x",
      DYNAMODB_TABLE_FACTOR_LOOKUP: "f",
      DYNAMODB_TABLE_BACKUPS: "b",
      DYNAMODB_TABLE_ONE_TIME: "o",
      DYNAMODB_TABLE_HISTORY: "h",
      AWS_ENDPOINT_URL: "http://both.example",
    };
    expect(loadConfig(env).storage).toMatchObject({
      kmsKeyArn: "arn:aws:kms:x",
      tables: { factorLookup: "f", backups: "b", oneTime: "o", history: "h" },
      s3Endpoint: "http://both.example",
      dynamoDbEndpoint: "http://both.example",
    });
    expect(
      loadConfig({
        ...env,
        AWS_ENDPOINT_URL_S3: "http://s3.example",
        AWS_ENDPOINT_URL_DYNAMODB: "http://ddb.example",
      }).storage,
    ).toMatchObject({ s3Endpoint: "http://s3.example", dynamoDbEndpoint: "http://ddb.example" });
  });

  test("reads the driver that was chosen, whatever the environment", () => {
    expect(loadConfig({ ...production, STORAGE_DRIVER: "local" }).storage).toEqual({
      driver: "local",
      dataDir: "./data",
    });
    const { AWS_REGION, BACKUP_S3_BUCKET } = production;
    expect(
      loadConfig({ ...development, STORAGE_DRIVER: "aws", AWS_REGION, BACKUP_S3_BUCKET }).storage.driver,
    ).toBe("aws");
  });

  test.each(["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_DYNAMODB"])(
    "refuses %s that is no URL",
    (name) => {
      expect(problemsOf({ ...production, [name]: "localhost:4566" })).toEqual([
        `${name} must be an http or https URL, not "localhost:4566"`,
      ]);
    },
  );
});
