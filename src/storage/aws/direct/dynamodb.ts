import { GetItemCommand } from "@aws-sdk/client-dynamodb";
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
};
