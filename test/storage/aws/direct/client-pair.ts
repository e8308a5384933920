/** A direct client of each service beside the SDK's own, at one endpoint. */
import { HttpRequest } from "@smithy/core/protocols";
import type { AwsStorageConfig } from "../../../../src/config/storage.ts";
import {
  createDynamoDbClient,
  createDynamoDbSender,
  createS3Client,
  createS3Sender,
  type DynamoDbSender,
  type S3Sender,
} from "../../../../src/storage/aws/clients.ts";
import { awsConfigAt } from "../../../support/aws-config.ts";

export interface Clients {
  readonly dynamoDb: DynamoDbSender;
  readonly s3: S3Sender;
}

/** What only informs AWS about the SDK, and the direct clients leave out. The rest is signed: nothing else may differ. */
const LEFT_OUT = ["amz-sdk-invocation-id", "amz-sdk-request", "user-agent", "x-amz-user-agent"];

const BEFORE_SIGNING = {
  name: "leaveOut",
  relation: "before",
  toMiddleware: "httpSigningMiddleware",
} as const;

function leaveOut<Args extends { request: unknown }, Result>(
  next: (args: Args) => Result,
): (args: Args) => Result {
  return (args) => {
    if (HttpRequest.isInstance(args.request)) for (const name of LEFT_OUT) delete args.request.headers[name];
    return next(args);
  };
}

export function clientPair(
  url: string,
  change: Partial<AwsStorageConfig> = {},
): Readonly<Record<"sdk" | "direct", Clients>> & Disposable {
  const config = { ...awsConfigAt(url), ...change };
  const sdkClients = () => {
    const clients = { dynamoDb: createDynamoDbClient(config), s3: createS3Client(config) };
    clients.dynamoDb.middlewareStack.addRelativeTo(leaveOut, BEFORE_SIGNING);
    clients.s3.middlewareStack.addRelativeTo(leaveOut, BEFORE_SIGNING);
    return clients;
  };
  const [sdk, below] = [sdkClients(), sdkClients()];
  const direct = { dynamoDb: createDynamoDbSender(below.dynamoDb, config), s3: createS3Sender(below.s3) };
  return {
    sdk,
    direct,
    [Symbol.dispose]() {
      for (const client of [sdk.dynamoDb, sdk.s3, direct.dynamoDb, direct.s3]) client.destroy();
    },
  };
}
