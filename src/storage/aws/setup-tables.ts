/** The tables: paid per request, with point-in-time recovery, and with expiry for the one-time table. */
import {
  CreateTableCommand,
  DescribeContinuousBackupsCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  type DynamoDBClient,
  ResourceInUseException,
  ResourceNotFoundException,
  UpdateContinuousBackupsCommand,
  UpdateTimeToLiveCommand,
  waitUntilTableExists,
} from "@aws-sdk/client-dynamodb";
import type { AwsStorageConfig } from "../../config/storage.ts";
import type { Requirement } from "./setup.ts";
import { PARTITION_KEYS, TTL_ATTRIBUTE } from "./tables.ts";

const CREATION_LIMIT_SECONDS = 180;
/** Point-in-time recovery can be configured about a minute after a table was created. */
const RECOVERY_LIMIT_MS = 120_000;
const RECOVERY_PAUSE_MS = 3_000;

export function tableRequirements(dynamoDb: DynamoDBClient, { tables }: AwsStorageConfig): Requirement[] {
  const table = (name: string, partitionKey: string, within: readonly Requirement[] = []): Requirement => ({
    what: `the table ${name}`,
    isMet: () => tableExists(dynamoDb, name, partitionKey),
    meet: () => createTable(dynamoDb, name, partitionKey),
    within: [...within, pointInTimeRecovery(dynamoDb, name)],
  });
  return [
    table(tables.factorLookup, PARTITION_KEYS.factorLookup),
    table(tables.backups, PARTITION_KEYS.backups),
    table(tables.oneTime, PARTITION_KEYS.oneTime, [timeToLive(dynamoDb, tables.oneTime)]),
  ];
}

/** Creates a table, if it does not exist, and waits until it can be used. */
async function createTable(dynamoDb: DynamoDBClient, name: string, partitionKey: string): Promise<void> {
  try {
    const { TableDescription } = await dynamoDb.send(
      new CreateTableCommand({
        TableName: name,
        BillingMode: "PAY_PER_REQUEST",
        AttributeDefinitions: [{ AttributeName: partitionKey, AttributeType: "S" }],
        KeySchema: [{ AttributeName: partitionKey, KeyType: "HASH" }],
      }),
    );
    if (TableDescription?.TableStatus === "ACTIVE") return;
  } catch (error) {
    if (!(error instanceof ResourceInUseException)) throw error;
  }
  await waitUntilTableExists({ client: dynamoDb, maxWaitTime: CREATION_LIMIT_SECONDS }, { TableName: name });
}

async function tableExists(dynamoDb: DynamoDBClient, name: string, partitionKey: string): Promise<boolean> {
  try {
    const { Table } = await dynamoDb.send(new DescribeTableCommand({ TableName: name }));
    const keys = Table?.KeySchema?.map((key) => key.AttributeName).join(", ");
    if (keys !== partitionKey)
      throw new Error(`the table ${name} exists with the key ${keys}, and the service needs ${partitionKey}`);
    return true;
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return false;
    throw error;
  }
}

function timeToLive(dynamoDb: DynamoDBClient, table: string): Requirement {
  return {
    what: `expiry of items of ${table}`,
    async isMet() {
      const response = await dynamoDb.send(new DescribeTimeToLiveCommand({ TableName: table }));
      const { TimeToLiveStatus: status, AttributeName: attribute } = response.TimeToLiveDescription ?? {};
      if (status !== "ENABLED" && status !== "ENABLING") return false;
      if (attribute === TTL_ATTRIBUTE) return true;
      throw new Error(`items of ${table} expire by ${attribute}, and the service needs ${TTL_ATTRIBUTE}`);
    },
    async meet() {
      const TimeToLiveSpecification = { Enabled: true, AttributeName: TTL_ATTRIBUTE };
      await dynamoDb.send(new UpdateTimeToLiveCommand({ TableName: table, TimeToLiveSpecification }));
    },
  };
}

function pointInTimeRecovery(dynamoDb: DynamoDBClient, table: string): Requirement {
  return {
    what: `point-in-time recovery of ${table}`,
    async isMet() {
      const response = await dynamoDb.send(new DescribeContinuousBackupsCommand({ TableName: table }));
      const found = response.ContinuousBackupsDescription?.PointInTimeRecoveryDescription;
      return found?.PointInTimeRecoveryStatus === "ENABLED";
    },
    async meet() {
      const command = new UpdateContinuousBackupsCommand({
        TableName: table,
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      });
      const startedMs = performance.now();
      for (;;) {
        try {
          await dynamoDb.send(command);
          return;
        } catch (error) {
          const isTooEarly = error instanceof Error && error.name === "ContinuousBackupsUnavailableException";
          if (!isTooEarly || performance.now() - startedMs > RECOVERY_LIMIT_MS) throw error;
          await new Promise((resolve) => setTimeout(resolve, RECOVERY_PAUSE_MS));
        }
      }
    },
  };
}
