/** The SDK's clients for this service. Credentials come from the SDK's default chain. */
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { S3Client } from "@aws-sdk/client-s3";
import { ConfigError } from "../../config/config-error.ts";
import type { AwsStorageConfig } from "../../config/storage.ts";

const CONNECTION_TIMEOUT_MS = 1_500;
/** A connection carries one request at a time; further requests wait. */
const MAX_DYNAMODB_CONNECTIONS = 256;
const MAX_S3_CONNECTIONS = 128;

/** One attempt by default: retry.ts retries, with a time budget, which the SDK does not have. */
export function createDynamoDbClient(config: AwsStorageConfig, maxAttempts = 1): DynamoDBClient {
  return new DynamoDBClient({
    region: config.region,
    ...(config.dynamoDbEndpoint === null ? {} : { endpoint: config.dynamoDbEndpoint }),
    maxAttempts,
    logger,
    requestHandler: connections(MAX_DYNAMODB_CONNECTIONS),
  });
}

/** As {@link createDynamoDbClient}. */
export function createS3Client(config: AwsStorageConfig, maxAttempts = 1): S3Client {
  const client = new S3Client({
    region: config.region,
    // other endpoints seldom have a DNS name for each bucket
    ...(config.s3Endpoint === null ? {} : { endpoint: config.s3Endpoint, forcePathStyle: true }),
    maxAttempts,
    logger,
    // Both ends check SHA-256 (see below and blobs.ts): a CRC on top would only cost CPU.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // Waiting for "100 Continue" costs a round trip, and the SDK opens a new connection for each such request.
    expectContinueHeader: false,
    requestHandler: connections(MAX_S3_CONNECTIONS),
  });
  // A body whose SHA-256 the caller knows is signed with it, where the SDK would hash the body once more.
  client.middlewareStack.add(
    (next) => (args) => {
      const { input, request } = args;
      if (hasChecksum(input) && isRequest(request))
        request.headers["x-amz-content-sha256"] = Buffer.from(input.ChecksumSHA256, "base64").toString("hex");
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

function hasChecksum(input: object): input is { ChecksumSHA256: string } {
  return "ChecksumSHA256" in input && typeof input.ChecksumSHA256 === "string";
}

function isRequest(request: unknown): request is { headers: Record<string, string> } {
  return typeof request === "object" && request !== null && "headers" in request;
}
