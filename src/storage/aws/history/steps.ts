/** What a change does to deleted states and to events, as steps of its transaction. */
import type { DeleteItemCommandInput, TransactWriteItem } from "@aws-sdk/client-dynamodb";
import {
  type Change,
  COLLECTED_AFTER_MS,
  type DeletedBackup,
  type DeletionRef,
  type Leftovers,
  type NewEvent,
} from "../../contract.ts";
import type { Step } from "../changes.ts";
import type { Item } from "../tables.ts";
import {
  deletionItem,
  deletionKey,
  dueDeletionItem,
  dueLeftoversItem,
  logItem,
  logKey,
  outboxItem,
  outboxKey,
  surplusItem,
} from "./items.ts";
import { isNoted } from "./surplus.ts";

/** How many blobs one item names. Each takes less than 300 bytes of it, and an item has 400 KB. */
const BLOBS_PER_ITEM = 1_000;

/** @param commitId names the commit, and no other. */
export function historySteps(
  table: string,
  { backupId, setAside, bringBack, forget = [], collect, events = [] }: Change,
  commitId: string,
  nowMs: number,
): readonly Step[] {
  const forgotten = new Map(forget.map((deletion) => [deletion.deletionId, deletion]));
  return [
    ...(bringBack === undefined ? [] : [bringBackStep(table, backupId, bringBack, nowMs)]),
    ...[...forgotten.values()].map((deletion) => forgetStep(table, backupId, deletion)),
    ...puts(table, [
      ...(setAside === undefined ? [] : setAsideItems(backupId, setAside)),
      ...(collect === undefined ? [] : leftoversItems(backupId, collect, commitId, nowMs)),
    ]),
    ...eventSteps(table, events),
  ];
}

/** Appends events to their logs, and queues those that are to be delivered. */
export function eventSteps(table: string, events: readonly NewEvent[]): readonly Step[] {
  const noted = new Set<string>();
  for (const { id, logId } of events) if (logId !== null && isNoted(id)) noted.add(logId);
  return puts(table, [...events.flatMap(eventItems), ...[...noted].map(surplusItem)]);
}

/** Removes events from their logs, and from the outbox unless they were claimed there, which changes their key. */
export function eventDeletions(
  table: string,
  events: readonly NewEvent[],
): readonly DeleteItemCommandInput[] {
  return events.flatMap(({ id, logId, deliverFromMs }) => [
    ...(logId === null ? [] : [{ TableName: table, Key: logKey(logId, id) }]),
    ...(deliverFromMs === null ? [] : [{ TableName: table, Key: outboxKey(id, deliverFromMs) }]),
  ]);
}

function eventItems(event: NewEvent): readonly Item[] {
  const { logId, deliverFromMs } = event;
  return [
    ...(logId === null ? [] : [logItem(logId, event)]),
    ...(deliverFromMs === null ? [] : [outboxItem({ event, attempts: 0, dueMs: deliverFromMs })]),
  ];
}

function setAsideItems(backupId: string, state: DeletedBackup): readonly Item[] {
  const due = { id: state.deletionId, dueMs: state.keepUntilMs + COLLECTED_AFTER_MS };
  return [deletionItem(backupId, state), dueDeletionItem(due, backupId, state)];
}

function leftoversItems(
  backupId: string,
  { blobs, logIds, notBeforeMs }: Leftovers,
  commitId: string,
  nowMs: number,
): readonly Item[] {
  const rows = Math.max(Math.ceil(blobs.length / BLOBS_PER_ITEM), logIds.length > 0 ? 1 : 0);
  return Array.from({ length: rows }, (_, row) =>
    dueLeftoversItem({ id: `${commitId}|${row}`, dueMs: notBeforeMs ?? nowMs }, backupId, {
      blobs: blobs.slice(row * BLOBS_PER_ITEM, (row + 1) * BLOBS_PER_ITEM),
      logIds: row === 0 ? logIds : [],
    }),
  );
}

/** The state's row of what is to be collected stays, and finds no state when it is due. */
function bringBackStep(table: string, backupId: string, deletion: DeletionRef, nowMs: number): Step {
  return deletionStep({
    TableName: table,
    Key: deletionKey(backupId, deletion),
    ConditionExpression: "attribute_exists(PK) AND attribute_not_exists(Taken) AND KeepUntilMs > :now",
    ExpressionAttributeValues: { ":now": { N: `${nowMs}` } },
  });
}

/** As {@link bringBackStep}. */
function forgetStep(table: string, backupId: string, deletion: DeletionRef): Step {
  return deletionStep({
    TableName: table,
    Key: deletionKey(backupId, deletion),
    ConditionExpression: "attribute_exists(PK) AND attribute_not_exists(Taken)",
  });
}

function deletionStep(deletion: NonNullable<TransactWriteItem["Delete"]>): Step {
  return { write: { Delete: deletion }, otherwise: "not-kept" };
}

/** Writes without a condition, which therefore do not fail for a conflict. */
function puts(table: string, items: readonly Item[]): readonly Step[] {
  return items.map((item) => ({ write: { Put: { TableName: table, Item: item } }, otherwise: "not-ours" }));
}
