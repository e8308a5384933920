/** Checks that the tables exist and take writes. */
import {
  DeleteItemCommand,
  DescribeTableCommand,
  PutItemCommand,
  ResourceNotFoundException,
} from "@aws-sdk/client-dynamodb";
import type { AwsStorageConfig } from "../../config/storage.ts";
import { typed } from "../../runtime/program.ts";
import { StartError } from "../../runtime/start-error.ts";
import { StorageUnavailable } from "../contract.ts";
import type { DynamoDbSender } from "./clients.ts";
import type { Attempt } from "./retry.ts";
import { backupKey, type Item, nonceItem } from "./tables.ts";

type Tables = AwsStorageConfig["tables"];

/** For how long the item of a test write exists. */
const PROBE_KEPT_MS = 60_000;

/** @throws StorageUnavailable when a table does not exist or is not active. */
export async function requireActive(client: DynamoDbSender, tables: Tables, attempt: Attempt): Promise<void> {
  await Promise.all(
    Object.values(tables).map(async (name) => {
      const purpose = `the DynamoDB table ${name} cannot be used`;
      const { Table } = await attempt(purpose, (abortSignal) =>
        client.send(new DescribeTableCommand({ TableName: name }), { abortSignal }),
      );
      // a table serves requests while its settings change
      if (Table?.TableStatus !== "ACTIVE" && Table?.TableStatus !== "UPDATING")
        throw new StorageUnavailable(`${purpose}: it is ${Table?.TableStatus ?? "in no known state"}`);
    }),
  );
}

/**
 * For the start of a service, which cannot work without one of the tables. What DynamoDB does not say because it does not
 * respond is no reason not to start.
 *
 * @throws StartError when a table certainly does not exist.
 */
export async function requireTables(client: DynamoDbSender, tables: Tables, attempt: Attempt): Promise<void> {
  const found = await Promise.all(
    Object.values(tables).map(async (name) => ({ name, isMissing: await isMissing(client, name, attempt) })),
  );
  const missing = found.filter((table) => table.isMissing).map(({ name }) => name);
  if (missing.length > 0)
    throw new StartError(
      `DynamoDB has no table ${missing.join(" and no table ")}: \`${typed("aws-setup")}\` creates what is missing`,
    );
}

async function isMissing(client: DynamoDbSender, name: string, attempt: Attempt): Promise<boolean> {
  const purpose = `the DynamoDB table ${name} could not be described`;
  try {
    return await attempt(purpose, async (abortSignal) => {
      try {
        await client.send(new DescribeTableCommand({ TableName: name }), { abortSignal });
        return false;
      } catch (error) {
        if (error instanceof ResourceNotFoundException) return true;
        throw error;
      }
    });
  } catch (error) {
    if (error instanceof StorageUnavailable) return false; // /ready reports it
    throw error;
  }
}

/**
 * Puts an item into the one-time table, where it expires. In the others deletes an item that does not exist, which is a
 * write too.
 *
 * @param id names no backup, factor or nonce.
 * @throws StorageUnavailable when a table takes no write.
 */
export async function requireWritable(
  client: DynamoDbSender,
  { factorLookup, backups, oneTime, history }: Tables,
  { id, nowMs }: { readonly id: string; readonly nowMs: number },
  attempt: Attempt,
): Promise<void> {
  const item = nonceItem({ id, expiresAtMs: nowMs + PROBE_KEPT_MS }, null);
  const written = <T>(table: string, send: (abortSignal: AbortSignal) => Promise<T>) =>
    attempt(`the DynamoDB table ${table} takes no write`, send);
  const deleted = (table: string, key: Item) =>
    written(table, (abortSignal) =>
      client.send(new DeleteItemCommand({ TableName: table, Key: key }), { abortSignal }),
    );
  await Promise.all([
    written(oneTime, (abortSignal) =>
      client.send(new PutItemCommand({ TableName: oneTime, Item: item }), { abortSignal }),
    ),
    deleted(factorLookup, { PK: { S: id } }),
    deleted(backups, backupKey(id)),
    deleted(history, { PK: { S: id }, SK: { S: id } }),
  ]);
}
