/** The SDK's clients for this service. Credentials come from the SDK's default chain. */
import {
  DynamoDBClient,
  type ServiceInputTypes as DynamoDbInputs,
  type ServiceOutputTypes as DynamoDbOutputs,
} from "@aws-sdk/client-dynamodb";
import {
  S3Client,
  type ServiceInputTypes as S3Inputs,
  type ServiceOutputTypes as S3Outputs,
} from "@aws-sdk/client-s3";
import { ConfigError } from "../../config/config-error.ts";
import type { AwsStorageConfig } from "../../config/storage.ts";
import { DirectClient } from "./direct/client.ts";
import { DYNAMODB } from "./direct/dynamodb.ts";
import { S3, signWithKnownHash } from "./direct/s3.ts";
import type { CommandSender } from "./direct/sdk.ts";

const CONNECTION_TIMEOUT_MS = 1_500;
/** Further requests wait. The process has 256 connections in total: a store that hangs must not take all of them. */
const MAX_DYNAMODB_REQUESTS = 128;
export const MAX_S3_REQUESTS = 96;

export type DynamoDbSender = CommandSender<DynamoDbInputs, DynamoDbOutputs>;
export type S3Sender = CommandSender<S3Inputs, S3Outputs>;

/** For the requests of the service: many, and of few kinds. @param tables the names of the tables that they are about. */
export function createDynamoDbSender(
  sdk: DynamoDBClient,
  { tables }: { readonly tables: Readonly<Record<string, string>> },
): DynamoDbSender {
  // an ARN may name a table of another account, which has another endpoint
  const haveNames = Object.values(tables).every((table) => !table.startsWith("arn:"));
  const service = haveNames ? DYNAMODB : { ...DYNAMODB, operations: new Set<string>() };
  return new DirectClient(sdk, service, MAX_DYNAMODB_REQUESTS);
}

/** As {@link createDynamoDbSender}. */
export function createS3Sender(sdk: S3Client): S3Sender {
  return new DirectClient(sdk, S3, MAX_S3_REQUESTS);
}

/** One attempt by default: retry.ts retries, with a time budget, which the SDK does not have. */
export function createDynamoDbClient(
  config: Pick<AwsStorageConfig, "region" | "dynamoDbEndpoint">,
  maxAttempts = 1,
): DynamoDBClient {
  return new DynamoDBClient({
    region: config.region,
    ...(config.dynamoDbEndpoint === null ? {} : { endpoint: config.dynamoDbEndpoint }),
    maxAttempts,
    logger,
    requestHandler: connections(MAX_DYNAMODB_REQUESTS),
  });
}

/** As {@link createDynamoDbClient}. */
export function createS3Client(
  config: Pick<AwsStorageConfig, "region" | "s3Endpoint">,
  maxAttempts = 1,
): S3Client {
  const client = new S3Client({
    region: config.region,
    // other endpoints seldom have a DNS name for each bucket
    ...(config.s3Endpoint === null ? {} : { endpoint: config.s3Endpoint, forcePathStyle: true }),
    maxAttempts,
    logger,
    // Both ends check SHA-256 (see below, upload.ts and verified-content.ts): a CRC on top would only cost CPU.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // Waiting for "100 Continue" costs a round trip, and the SDK opens a new connection for each such request.
    expectContinueHeader: false,
    requestHandler: connections(MAX_S3_REQUESTS),
  });
  client.middlewareStack.add(
    (next) => (args) => {
      if (isRequest(args.request)) signWithKnownHash(args.request);
      return next(args);
    },
    { name: "signWithKnownHash", step: "build" },
  );
  return client;
}

/**
 * Requires that the SDK's default chain finds credentials, so that the start fails without them, not the first request.
 *
 * @throws ConfigError when there are none.
 */
export async function requireCredentials(client: DynamoDBClient): Promise<void> {
  try {
    await client.config.credentials();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError([
      `no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a role (${reason})`,
    ]);
  }
}

/** The service logs failures itself; by default the SDK also writes some to the console. */
const logger = { debug() {}, info() {}, warn() {}, error() {} };

function connections(maxSockets: number) {
  const agent = { keepAlive: true, maxSockets };
  return { connectionTimeout: CONNECTION_TIMEOUT_MS, httpAgent: agent, httpsAgent: agent };
}

function isRequest(request: unknown): request is { headers: Record<string, string> } {
  return typeof request === "object" && request !== null && "headers" in request;
}
