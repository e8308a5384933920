/** Where the requests of a client go, and for what their signatures are valid. */
import { expect, test } from "bun:test";
import { GetItemCommand } from "@aws-sdk/client-dynamodb";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import { createDynamoDbClient, createS3Client } from "../../../../src/storage/aws/clients.ts";
import { createEndpointOf } from "../../../../src/storage/aws/direct/endpoint.ts";
import { setAwsCredentials } from "../../../support/aws-config.ts";

setAwsCredentials();

const s3 = (region = "eu-west-1") => createS3Client({ region, s3Endpoint: null }).config;

test("the rules are asked once for each bucket and account", async () => {
  const endpointOf = createEndpointOf(s3(), GetObjectCommand);
  const first = endpointOf({ Bucket: "one" }, undefined);
  expect(endpointOf({ Bucket: "one", Key: "other" }, undefined)).toBe(first);
  expect(endpointOf({ Bucket: "one" }, "123456789012")).not.toBe(first);
  const address = await (await endpointOf({ Bucket: "two" }, undefined))?.context.endpoint();
  expect(address).toMatchObject({ hostname: "two.s3.eu-west-1.amazonaws.com" });
});

test("the rules are asked again where they failed", async () => {
  const config = s3();
  let failures = 1;
  const region = async () => {
    if (failures-- > 0) throw new Error("the region is not known yet");
    return "eu-west-1";
  };
  const endpointOf = createEndpointOf({ ...config, region }, GetObjectCommand);
  await expect(endpointOf({ Bucket: "one" }, undefined)).rejects.toThrow("not known yet");
  expect((await endpointOf({ Bucket: "one" }, undefined))?.scope).toEqual({
    region: "eu-west-1",
    service: "s3",
  });
});

test("a signature is valid for the region and the service that the rules name, or else the client's", async () => {
  const scopeOf = async (region: string, Bucket: string) =>
    (await createEndpointOf(s3(region), GetObjectCommand)({ Bucket }, undefined))?.scope;
  expect(await scopeOf("aws-global", "bucket")).toEqual({ region: "us-east-1", service: "s3" });
  const lambda = "arn:aws:s3-object-lambda:eu-west-1:123456789012:accesspoint/name";
  expect(await scopeOf("eu-west-1", lambda)).toEqual({ region: "eu-west-1", service: "s3-object-lambda" });
  const dynamoDb = createDynamoDbClient({ region: "eu-west-2", dynamoDbEndpoint: null }).config;
  expect((await createEndpointOf(dynamoDb, GetItemCommand)({}, undefined))?.scope).toEqual({
    region: "eu-west-2",
    service: "dynamodb",
  });
});
