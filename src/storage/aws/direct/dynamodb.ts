import { GetItemCommand } from "@aws-sdk/client-dynamodb";
import type { HttpResponse } from "@smithy/types";
import { dynamoDbJson } from "./dynamodb-json.ts";
import type { DirectService } from "./service.ts";

export const DYNAMODB: DirectService = {
  operations: new Set([
    "BatchGetItem",
    "DeleteItem",
    "DescribeTable",
    "GetItem",
    "PutItem",
    "Query",
    "Scan",
    "TransactWriteItems",
    "UpdateItem",
  ]),
  instructions: GetItemCommand,
  protocol: dynamoDbJson,
  inspect: requireChecksum,
};

/** DynamoDB states a checksum of each body. The SDK for JavaScript does not compare it. @throws Error when it differs. */
function requireChecksum({ headers, body }: HttpResponse): void {
  const stated = headers["x-amz-crc32"];
  if (stated === undefined || !(body instanceof Uint8Array)) return;
  if (Bun.hash.crc32(body) !== Number(stated))
    throw new Error("a response has another checksum than it states");
}
