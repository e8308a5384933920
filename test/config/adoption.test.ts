import { describe, expect, test } from "bun:test";
import { loadConfig } from "../../src/config/config.ts";
import { development, problemsOf, production, reads, refuses } from "./environments.ts";

const from = { ADOPT_FROM_S3_BUCKET: "other", ADOPT_FROM_DYNAMODB_TABLE: "others" };

describe("the configuration of adoption", () => {
  reads([
    [{}, { adoption: null }],
    [
      { ...from, AWS_REGION: "eu-west-1", AWS_ENDPOINT_URL_S3: "http://s3.example" },
      {
        adoption: {
          bucket: "other",
          table: "others",
          region: "eu-west-1",
          s3Endpoint: "http://s3.example",
          dynamoDbEndpoint: null,
          issuers: { GOOGLE: "https://accounts.google.com", APPLE: "https://appleid.apple.com" },
        },
      },
    ],
    [
      {
        ...from,
        AWS_REGION: "eu-west-1",
        AWS_ENDPOINT_URL: "http://own.example",
        ADOPT_FROM_AWS_REGION: "us-east-1",
        ADOPT_FROM_AWS_ENDPOINT_URL: "http://other.example",
        GOOGLE_ISSUER: "https://issuer.example",
      },
      {
        adoption: {
          region: "us-east-1",
          s3Endpoint: "http://other.example",
          dynamoDbEndpoint: "http://other.example",
          issuers: { GOOGLE: "https://issuer.example" },
        },
      },
    ],
  ]);

  refuses([["ADOPT_FROM_AWS_ENDPOINT_URL", ["other.example", "ftp://other.example"]]]);

  test("uses the region and the endpoints of the aws driver unless it has its own", () => {
    const env = { ...production, ...from, AWS_ENDPOINT_URL: "http://both.example" };
    expect(loadConfig(env).adoption).toMatchObject({
      region: "eu-central-1",
      s3Endpoint: "http://both.example",
      dynamoDbEndpoint: "http://both.example",
    });
  });

  test("refuses half of it, and reports that with every other problem", () => {
    const half = "ADOPT_FROM_S3_BUCKET and ADOPT_FROM_DYNAMODB_TABLE are set together or not at all";
    for (const name of Object.keys(from))
      expect(problemsOf({ ...production, ...from, [name]: "" })).toEqual([half]);
    expect(problemsOf({ ...development, ADOPT_FROM_S3_BUCKET: "other", LOG_LEVEL: "loud" })).toEqual([
      'LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, not "loud"',
      half,
      "ADOPT_FROM_AWS_REGION is required while ADOPT_FROM_S3_BUCKET is set",
    ]);
    for (const rest of [
      { ADOPT_FROM_AWS_REGION: "eu-west-1" },
      { ADOPT_FROM_AWS_ENDPOINT_URL: "http://other.example" },
    ])
      expect(problemsOf({ ...development, ...rest })).toHaveLength(1);
  });

  test("refuses the stores of the service itself", () => {
    for (const own of [
      { ADOPT_FROM_S3_BUCKET: "backups" },
      { ADOPT_FROM_DYNAMODB_TABLE: "backup-service-factor-lookup" },
    ])
      expect(problemsOf({ ...production, ...from, ...own })).toEqual([
        "ADOPT_FROM_S3_BUCKET or ADOPT_FROM_DYNAMODB_TABLE is the service's own: name that of the other service",
      ]);
  });
});
