/** The settings of the SDK's clients that the stores depend on. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { ListTablesCommand } from "@aws-sdk/client-dynamodb";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import { ConfigError } from "../../../src/config/config-error.ts";
import { systemClock, systemRandom } from "../../../src/runtime/clock.ts";
import { createDynamoDbClient, createS3Client } from "../../../src/storage/aws/clients.ts";
import { createEndpointOf } from "../../../src/storage/aws/direct/endpoint.ts";
import { openAwsRecords } from "../../../src/storage/aws/records.ts";
import { failureOf } from "../../support/failure-of.ts";
import { scriptedAws } from "../../support/scripted-aws.ts";

const aws = await scriptedAws();

describe("where the SDK finds no credentials", () => {
  const before = Object.entries(process.env).filter(([name]) => name.startsWith("AWS_"));
  beforeEach(() => {
    for (const [name] of before) delete process.env[name];
    process.env.AWS_SHARED_CREDENTIALS_FILE = "/dev/null";
    process.env.AWS_CONFIG_FILE = "/dev/null";
    process.env.AWS_EC2_METADATA_DISABLED = "true";
  });
  afterEach(() => {
    for (const name of Object.keys(process.env)) if (name.startsWith("AWS_")) delete process.env[name];
    Object.assign(process.env, Object.fromEntries(before));
  });

  test("the records are not opened, and the error says how to give some", async () => {
    const opened = openAwsRecords(aws.config, { clock: systemClock, random: systemRandom });
    const error = await failureOf(opened);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toMatchObject({
      problems: [expect.stringMatching(/^no AWS credentials: set AWS_ACCESS_KEY_ID and .*\(Could not load/)],
    });
    expect(aws.seen).toEqual([]);
  });
});

test.each([
  ["http://s3.internal:9000", { hostname: "s3.internal", path: "/bucket" }],
  [null, { hostname: "bucket.s3.eu-west-1.amazonaws.com", path: "/" }],
])("the bucket is in the path at another endpoint than AWS's (%p)", async (s3Endpoint, address) => {
  const { config } = createS3Client({ region: "eu-west-1", s3Endpoint });
  const endpoint = await createEndpointOf(config, GetObjectCommand)({ Bucket: "bucket" }, undefined);
  expect(await endpoint?.context.endpoint()).toMatchObject(address);
});

test("the SDK keeps its connections", async () => {
  const ports: unknown[] = [];
  aws.respond = (response) => {
    ports.push(response.socket?.remotePort);
    response.end("{}");
  };
  const client = createDynamoDbClient(aws.config);
  for (let n = 0; n < 3; n++) await client.send(new ListTablesCommand({}));
  expect(ports).toEqual([ports[0], ports[0], ports[0]]);
  client.destroy();
});
