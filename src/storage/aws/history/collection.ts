/** Deletes what deleted states and logs leave behind. */
import { ConditionalCheckFailedException, PutItemCommand, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { blobsOf, type Leftovers } from "../../contract.ts";
import type { Collection, DueCollection } from "../../inspection.ts";
import { lacking, requireItem } from "../reads.ts";
import type { Item } from "../tables.ts";
import {
  deletedBackupOf,
  deletionKey,
  deletionRefOf,
  dueKey,
  dueOf,
  leaseItem,
  leftoversOf,
} from "./items.ts";
import { deleteBeyond } from "./log.ts";
import { deleteItem, dueItems, type HistoryTable } from "./table.ts";

/** A lease that ends later than a new one, by more than this, was taken by a wrong clock and is ignored. */
const LONGEST_SKEW_MS = 60 * 60 * 1000;

const NOTHING: Leftovers = { blobs: [], logIds: [] };

export function createCollection(table: HistoryTable): Collection {
  const rowOf = (due: DueCollection) => table.reads.item(table.name, dueKey(due));
  return {
    lease: (holder, untilMs) => takeLease(table, holder, untilMs),

    async due(limit) {
      return (await dueItems(table, "due", "SK, Id, DueMs, BackupId", limit)).map(dueOf);
    },

    async take(due) {
      const row = await rowOf(due);
      if (row === null) return [];
      const { blobs, logIds } = leftoversOf(row) ?? (await takeState(table, stateKey(due, row)));
      for (const logId of logIds) await deleteBeyond(table, logId, 0);
      return blobs;
    },

    /** The row last: while it exists, the rest is deleted by the next collection. */
    async settle(due) {
      const row = await rowOf(due);
      if (row === null) return;
      if (leftoversOf(row) === null) await deleteItem(table, stateKey(due, row), "attribute_exists(Taken)");
      await deleteItem(table, row);
    },
  };
}

/** A repeat after a lost response takes it again, since the holder is the same. */
async function takeLease(
  { name, client, attempt, clock }: HistoryTable,
  holder: string,
  untilMs: number,
): Promise<boolean> {
  const command = new PutItemCommand({
    TableName: name,
    Item: leaseItem(holder, untilMs),
    ConditionExpression:
      "attribute_not_exists(PK) OR UntilMs <= :now OR UntilMs > :longest OR Holder = :holder",
    ExpressionAttributeValues: {
      ":now": { N: `${clock.nowMs()}` },
      ":longest": { N: `${untilMs + LONGEST_SKEW_MS}` },
      ":holder": { S: holder },
    },
  });
  return attempt("the lease of the collection could not be taken", async (abortSignal) => {
    try {
      await client.send(command, { abortSignal });
      return true;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return false;
      throw error;
    }
  });
}

function stateKey({ backupId }: DueCollection, row: Item): Item {
  return deletionKey(backupId, deletionRefOf(row));
}

/** Marks a state as taken, and returns what it refers to: nothing where it was brought back or forgotten. */
async function takeState({ name, client, attempt }: HistoryTable, key: Item): Promise<Leftovers> {
  const command = new UpdateItemCommand({
    TableName: name,
    Key: key,
    UpdateExpression: "SET Taken = :true",
    ConditionExpression: "attribute_exists(PK)",
    ExpressionAttributeValues: { ":true": { BOOL: true } },
    ReturnValues: "ALL_NEW",
  });
  return attempt("a deleted backup could not be collected", async (abortSignal) => {
    try {
      const { Attributes } = await client.send(command, { abortSignal });
      const item = requireItem(Attributes ?? lacking("the state"), [key]); // what it refers to is deleted
      const { logId, ...state } = deletedBackupOf(item);
      return { blobs: blobsOf(state), logIds: logId === null ? [] : [logId] };
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return NOTHING;
      throw error;
    }
  });
}
