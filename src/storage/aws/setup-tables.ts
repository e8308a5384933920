/** The tables: paid per request, with point-in-time recovery, and with expiry where items expire. */
import { setTimeout as sleep } from "node:timers/promises";
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
import type { Requirement, SetupOptions } from "./setup.ts";
import { KEYS, TTL_ATTRIBUTE } from "./tables.ts";

/** The partition key, and the sort key if there is one. */
type Keys = readonly [partition: string, ...sort: string[]];

const CREATION_LIMIT_SECONDS = 180;
/** Point-in-time recovery can be configured about a minute after a table was created. */
const RECOVERY_LIMIT_MS = 120_000;
const RECOVERY_PAUSE_MS = 3_000;

export function tableRequirements(
  dynamoDb: DynamoDBClient,
  { tables }: AwsStorageConfig,
  pause: SetupOptions["pause"] = sleep,
): Requirement[] {
  const table = (name: string, keys: Keys, within: readonly Requirement[] = []): Requirement => ({
    what: `the table ${name}`,
    isMet: () => tableExists(dynamoDb, name, keys),
    meet: () => createTable(dynamoDb, name, keys),
    within: [...within, pointInTimeRecovery(dynamoDb, name, pause)],
  });
  return [
    table(tables.factorLookup, KEYS.factorLookup),
    table(tables.backups, KEYS.backups),
    table(tables.oneTime, KEYS.oneTime, [timeToLive(dynamoDb, tables.oneTime)]),
    table(tables.history, KEYS.history, [timeToLive(dynamoDb, tables.history)]),
  ];
}

/** Creates a table, if it does not exist, and waits until it can be used. */
async function createTable(
  dynamoDb: DynamoDBClient,
  name: string,
  [partition, ...sort]: Keys,
): Promise<void> {
  try {
    const { TableDescription } = await dynamoDb.send(
      new CreateTableCommand({
        TableName: name,
        BillingMode: "PAY_PER_REQUEST",
        AttributeDefinitions: [partition, ...sort].map((AttributeName) => ({
          AttributeName,
          AttributeType: "S",
        })),
        KeySchema: [
          { AttributeName: partition, KeyType: "HASH" },
          ...sort.map((AttributeName) => ({ AttributeName, KeyType: "RANGE" as const })),
        ],
      }),
    );
    if (TableDescription?.TableStatus === "ACTIVE") return;
  } catch (error) {
    if (!(error instanceof ResourceInUseException)) throw error;
  }
  await waitUntilTableExists({ client: dynamoDb, maxWaitTime: CREATION_LIMIT_SECONDS }, { TableName: name });
}

async function tableExists(dynamoDb: DynamoDBClient, name: string, needed: Keys): Promise<boolean> {
  try {
    const { Table } = await dynamoDb.send(new DescribeTableCommand({ TableName: name }));
    const keys = Table?.KeySchema?.map((key) => key.AttributeName).join(", ");
    if (keys !== needed.join(", "))
      throw new Error(
        `the table ${name} exists with the key ${keys}, and the service needs ${needed.join(", ")}`,
      );
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

function pointInTimeRecovery(
  dynamoDb: DynamoDBClient,
  table: string,
  pause: (ms: number) => Promise<unknown>,
): Requirement {
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
          await pause(RECOVERY_PAUSE_MS);
        }
      }
    },
  };
}
