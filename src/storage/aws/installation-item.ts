/**
 * The item of the table of backups with the installation's id, when it was last in service, and when its records were
 * restored.
 */
import { ConditionalCheckFailedException, PutItemCommand, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { NewerFormat } from "../contract.ts";
import type { Restore } from "../inspection.ts";
import type { DynamoDbSender } from "./clients.ts";
import { backupKey, type Item, malformed, number, text } from "./tables.ts";

/** No backup has such an id. */
const ID = "#installation";
export const INSTALLATION_KEY: Item = backupKey(ID);

export function isInstallationItem(item: Item): boolean {
  return item.BackupId?.S === ID;
}

/**
 * The layout of items and objects. Layout 1 is stored without a number. A later one is for a change that earlier versions
 * of the service would misread: the version that makes it puts its number and itself into the item first.
 */
export const LAYOUT = 1;

/** The layout of the tables that have this item. @throws NewerFormat */
export function layoutOf(item: Item): number {
  const found = item.Layout === undefined ? LAYOUT : number(item, "Layout");
  if (!Number.isSafeInteger(found)) return malformed("Layout");
  if (found > LAYOUT)
    throw new NewerFormat(
      "what DynamoDB and S3 have",
      { version: found, known: LAYOUT },
      item.LayoutBy?.S ?? null,
    );
  return found;
}

export function installationIdOf(item: Item): string {
  return text(item, "Installation");
}

export function restoresOf(item: Item): Restore[] {
  if (item.Restores === undefined) return [];
  const { L: restores } = item.Restores;
  if (!Array.isArray(restores)) return malformed("Restores");
  return restores.map((restore) => {
    const times = restore?.M ?? malformed("Restores");
    return { copiedAtMs: number(times, "CopiedAtMs"), restoredAtMs: number(times, "RestoredAtMs") };
  });
}

/** Writes the item unless it exists. */
export async function putInstallation(
  client: DynamoDbSender,
  table: string,
  id: string,
  abortSignal: AbortSignal,
): Promise<void> {
  const command = new PutItemCommand({
    TableName: table,
    Item: { ...INSTALLATION_KEY, Installation: { S: id } },
    ConditionExpression: "attribute_not_exists(BackupId)",
  });
  await unlessConditionFails(() => client.send(command, { abortSignal }));
}

async function unlessConditionFails(write: () => Promise<unknown>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
  }
}

export function lastSeenMsOf(item: Item): number | null {
  return item.LastSeenMs === undefined ? null : number(item, "LastSeenMs");
}

/** Sets the time unless it is later already. */
export async function putLastSeen(
  client: DynamoDbSender,
  table: string,
  nowMs: number,
  abortSignal: AbortSignal,
): Promise<void> {
  const command = new UpdateItemCommand({
    TableName: table,
    Key: INSTALLATION_KEY,
    UpdateExpression: "SET LastSeenMs = :now",
    ConditionExpression:
      "attribute_exists(BackupId) AND (attribute_not_exists(LastSeenMs) OR LastSeenMs < :now)",
    ExpressionAttributeValues: { ":now": { N: `${nowMs}` } },
  });
  await unlessConditionFails(() => client.send(command, { abortSignal }));
}

/** Adds to the list of restores. Added twice where a response was lost, which changes nothing. */
export async function addRestore(
  client: DynamoDbSender,
  table: string,
  { copiedAtMs, restoredAtMs }: Restore,
  abortSignal: AbortSignal,
): Promise<void> {
  const restore = { M: { CopiedAtMs: { N: `${copiedAtMs}` }, RestoredAtMs: { N: `${restoredAtMs}` } } };
  const command = new UpdateItemCommand({
    TableName: table,
    Key: INSTALLATION_KEY,
    UpdateExpression: "SET Restores = list_append(if_not_exists(Restores, :none), :restore)",
    ConditionExpression: "attribute_exists(BackupId)",
    ExpressionAttributeValues: { ":none": { L: [] }, ":restore": { L: [restore] } },
  });
  await client.send(command, { abortSignal });
}
