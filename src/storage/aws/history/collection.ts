/** Deletes what kept states and logs leave behind. */
import { ConditionalCheckFailedException, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { blobsOf, type Leftovers } from "../../contract.ts";
import type { Collection, DueCollection } from "../../inspection.ts";
import { lacking } from "../reads.ts";
import type { Item } from "../tables.ts";
import { deletedBackupOf, deletionKey, deletionRefOf, dueKey, dueOf, leftoversOf } from "./items.ts";
import { deleteBeyond } from "./log.ts";
import { deleteItem, dueItems, type HistoryTable } from "./table.ts";

const NOTHING: Leftovers = { blobs: [], logIds: [] };

export function createCollection(table: HistoryTable): Collection {
  const rowOf = (due: DueCollection) => table.reads.item(table.name, dueKey(due));
  return {
    async due(limit) {
      return (await dueItems(table, "due", limit)).map(dueOf);
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
      const { logId, ...state } = deletedBackupOf(Attributes ?? lacking("the state"));
      return { blobs: blobsOf(state), logIds: logId === null ? [] : [logId] };
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return NOTHING;
      throw error;
    }
  });
}
