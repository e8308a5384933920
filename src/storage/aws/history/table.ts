/** The history table, as the files of this folder use it. */
import { ConditionalCheckFailedException, DeleteItemCommand } from "@aws-sdk/client-dynamodb";
import type { Clock } from "../../../runtime/clock.ts";
import type { Step } from "../changes.ts";
import type { DynamoDbSender } from "../clients.ts";
import type { TableReads } from "../reads.ts";
import type { Attempt } from "../retry.ts";
import type { Item } from "../tables.ts";
import { partitionsOf, sortableMs } from "./items.ts";

export interface HistoryTable {
  readonly name: string;
  readonly client: DynamoDbSender;
  readonly reads: TableReads;
  readonly attempt: Attempt;
  readonly clock: Clock;
  /** As `transact` of transactions.ts. */
  readonly transact: (steps: readonly Step[]) => Promise<readonly Step[]>;
}

/** How many items are deleted at a time. */
const DELETED_AT_ONCE = 25;

/**
 * Deletes an item, if it exists.
 *
 * @param item has at least its keys.
 * @param condition where it does not hold, the item stays.
 */
export async function deleteItem(
  { name, client, attempt }: HistoryTable,
  { PK = { S: "" }, SK = { S: "" } }: Item,
  condition?: string,
): Promise<void> {
  const command = new DeleteItemCommand({
    TableName: name,
    Key: { PK, SK },
    ConditionExpression: condition,
  });
  await attempt("an item of the history could not be deleted", async (abortSignal) => {
    try {
      await client.send(command, { abortSignal });
    } catch (error) {
      if (!(error instanceof ConditionalCheckFailedException)) throw error;
    }
  });
}

/** As {@link deleteItem}. */
export async function deleteItems(table: HistoryTable, items: readonly Item[]): Promise<void> {
  for (let at = 0; at < items.length; at += DELETED_AT_ONCE)
    await Promise.all(items.slice(at, at + DELETED_AT_ONCE).map((item) => deleteItem(table, item)));
}

/**
 * Items of all shards whose time has come, the longest due first. Those that were written just before may be missing.
 *
 * @param attributes which each item has; the sort key is one of them.
 */
export async function dueItems(
  { name, reads, clock }: HistoryTable,
  kind: "due" | "outbox",
  attributes: string,
  limit: number,
): Promise<readonly Item[]> {
  const end = sortableMs(clock.nowMs() + 1);
  const ofShards = await Promise.all(
    partitionsOf(kind).map(async (partition) => {
      const pages = reads.query("what is due could not be read", {
        TableName: name,
        KeyConditionExpression: "PK = :partition AND SK < :end",
        ExpressionAttributeValues: { ":partition": { S: partition }, ":end": { S: end } },
        Limit: limit,
        ProjectionExpression: attributes,
        ConsistentRead: false, // at half the price, for every process asks every second or two
      });
      const found: Item[] = [];
      for await (const items of pages) if (found.push(...items) >= limit) break;
      return found;
    }),
  );
  const sortKey = ({ SK }: Item) => SK?.S ?? "";
  return ofShards
    .flat()
    .sort((one, other) => (sortKey(one) < sortKey(other) ? -1 : 1))
    .slice(0, limit);
}
