/** The logs of events. */
import { MAX_EVENTS, type StoredEvent } from "../../contract.ts";
import { type Item, isLive, text } from "../tables.ts";
import { loggedEventOf, logKey, logPartition } from "./items.ts";
import { deleteItems, type HistoryTable } from "./table.ts";

/** As `RecordStore.readEvents`. */
export async function readEvents(
  table: HistoryTable,
  logId: string,
  { before, limit }: { readonly before: string | null; readonly limit: number },
): Promise<{ readonly events: readonly StoredEvent[]; readonly next: string | null }> {
  // one more than is shown, to know whether there are more
  const [found, newer] = await Promise.all([
    liveItems(table, logId, before, limit + 1),
    before === null ? 0 : countFrom(table, logId, before),
  ]);
  const visible = found.slice(0, MAX_EVENTS - newer);
  const events = visible.slice(0, limit).map(loggedEventOf);
  return { events, next: visible.length > limit ? (events.at(-1)?.id ?? null) : null };
}

/** The newest items that have not expired. Expired ones are left out, so it may take several pages. */
async function liveItems(table: HistoryTable, logId: string, before: string | null, count: number) {
  const nowMs = table.clock.nowMs();
  const found: Item[] = [];
  const pages = table.reads.query("the events could not be read", {
    ...newestFirst(table, logId),
    ...(before !== null && { ExclusiveStartKey: logKey(logId, before) }),
    Limit: count,
  });
  for await (const items of pages) {
    found.push(...items.filter((item) => isLive(item, nowMs)));
    if (found.length >= count) break;
  }
  return found;
}

/** How many events of a log are not older than one of this id; {@link MAX_EVENTS} where there are more. */
async function countFrom(table: HistoryTable, logId: string, id: string): Promise<number> {
  let count = 0;
  const { ExpressionAttributeValues, ...all } = newestFirst(table, logId);
  const pages = table.reads.query("the events could not be counted", {
    ...all,
    KeyConditionExpression: "PK = :log AND SK >= :id",
    ExpressionAttributeValues: { ...ExpressionAttributeValues, ":id": { S: id } },
    ProjectionExpression: "SK",
    Limit: MAX_EVENTS,
  });
  for await (const items of pages) {
    count += items.length;
    if (count >= MAX_EVENTS) break;
  }
  return Math.min(count, MAX_EVENTS);
}

/** The keys of a log's events but for the `kept` newest, page by page. */
export async function* keysBeyond(
  table: HistoryTable,
  logId: string,
  kept: number,
): AsyncGenerator<readonly Item[]> {
  let seen = 0;
  const keys = { ...newestFirst(table, logId), ProjectionExpression: "SK" };
  for await (const items of table.reads.query("the events could not be listed", keys)) {
    // made of the id, so that nothing of another log is ever deleted
    yield items.slice(Math.max(0, kept - seen)).map((item) => logKey(logId, text(item, "SK")));
    seen += items.length;
  }
}

/** Deletes a log's events but for the `kept` newest, and returns how many. */
export async function deleteBeyond(table: HistoryTable, logId: string, kept: number): Promise<number> {
  let deleted = 0;
  for await (const items of keysBeyond(table, logId, kept)) {
    await deleteItems(table, items);
    deleted += items.length;
  }
  return deleted;
}

function newestFirst({ name }: HistoryTable, logId: string) {
  return {
    TableName: name,
    KeyConditionExpression: "PK = :log",
    ExpressionAttributeValues: { ":log": { S: logPartition(logId) } },
    ScanIndexForward: false,
  };
}
