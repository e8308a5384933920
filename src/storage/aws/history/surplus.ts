/**
 * Events beyond the number that a log keeps. Nobody reads them, and a commit cannot delete them, because it does not know
 * how many there are. So some events note their log, and a sweep deletes what is too much of the logs that are noted.
 */
import { MAX_EVENTS } from "../../contract.ts";
import { text } from "../tables.ts";
import { hashOf, partitionsOf, surplusItem } from "./items.ts";
import { deleteBeyond, keysBeyond } from "./log.ts";
import { deleteItem, type HistoryTable } from "./table.ts";

/** One event in so many notes its log. */
const NOTED_EVERY = 64;

/** Whether the commit of an event notes its log. */
export function isNoted(eventId: string): boolean {
  return Number.parseInt(hashOf(eventId).slice(0, 4), 16) % NOTED_EVERY === 0;
}

/** Deletes surplus events and returns how many. */
export async function deleteSurplus(table: HistoryTable): Promise<number> {
  let deleted = 0;
  for await (const logId of notedLogs(table)) {
    await deleteItem(table, surplusItem(logId)); // first: an event that is appended meanwhile notes its log again
    deleted += await deleteBeyond(table, logId, MAX_EVENTS);
  }
  return deleted;
}

export async function countSurplus(table: HistoryTable): Promise<number> {
  let count = 0;
  for await (const logId of notedLogs(table))
    for await (const keys of keysBeyond(table, logId, MAX_EVENTS)) count += keys.length;
  return count;
}

async function* notedLogs({ name, reads }: HistoryTable): AsyncGenerator<string> {
  for (const partition of partitionsOf("surplus"))
    for await (const items of reads.query("the logs could not be listed", {
      TableName: name,
      KeyConditionExpression: "PK = :partition",
      ExpressionAttributeValues: { ":partition": { S: partition } },
    }))
      for (const item of items) yield text(item, "SK");
}
