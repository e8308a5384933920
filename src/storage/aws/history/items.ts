/**
 * The items of the history table.
 *
 * | PK | SK | item |
 * |---|---|---|
 * | `deleted\|shard` | hash of the backup id, time of the deletion, id of the deletion | a deleted state |
 * | `due\|shard` | time, id | what is to be collected |
 * | `log\|log id` | event id | an event of a log |
 * | `outbox\|shard` | time, event id | an event to deliver |
 * | `surplus\|shard` | log id | a log that may have too many events |
 * | `lease` | `collection` | the process that collects |
 *
 * Each kind can be listed by queries of its shards, whatever else the table has. Times sort like numbers.
 */
import { createHash } from "node:crypto";
import type {
  BlobRef,
  DeletedBackup,
  DeletionRef,
  Leftovers,
  NewEvent,
  StoredEvent,
} from "../../contract.ts";
import type { QueuedEvent } from "../../outbox.ts";
import {
  backupIdOf,
  expiry,
  type Item,
  json,
  jsonObject,
  malformed,
  number,
  stateAttributes,
  stateOf,
  text,
} from "../tables.ts";

/** How many shards each kind of item is spread over. A change of a number orphans what is stored. */
const SHARDS = { deleted: 16, due: 16, outbox: 4, surplus: 4 } as const;
type Sharded = keyof typeof SHARDS;

/** The keys of all partitions of a kind. */
export function partitionsOf(kind: Sharded): readonly string[] {
  return Array.from({ length: SHARDS[kind] }, (_, shard) => `${kind}|${shard}`);
}

function partitionOf(kind: Sharded, name: string): string {
  return `${kind}|${Number.parseInt(hashOf(name).slice(0, 8), 16) % SHARDS[kind]}`;
}

export function hashOf(name: string): string {
  return createHash("sha256").update(name).digest("hex");
}

function key(partition: string, sort: string): Item {
  return { PK: { S: partition }, SK: { S: sort } };
}

/** A time as the beginning of a sort key. */
export function sortableMs(ms: number): string {
  return `${Math.max(0, Math.floor(ms))}`.padStart(15, "0");
}

/** Where the states of a backup are: the partition, and how the sort keys begin. The id may be any text, of any length. */
export function deletionsOf(backupId: string): { readonly partition: string; readonly begin: string } {
  return { partition: partitionOf("deleted", backupId), begin: `${hashOf(backupId)}|` };
}

export function deletionKey(backupId: string, { deletedAtMs, deletionId }: DeletionRef): Item {
  const { partition, begin } = deletionsOf(backupId);
  return key(partition, `${begin}${sortableMs(deletedAtMs)}|${deletionId}`);
}

export function deletionItem(backupId: string, state: DeletedBackup): Item {
  const { deletionId, deletedAtMs, keepUntilMs, deletedBy, logId } = state;
  return {
    ...deletionKey(backupId, state),
    BackupId: { S: backupId },
    DeletionId: { S: deletionId },
    DeletedAtMs: { N: `${deletedAtMs}` },
    KeepUntilMs: { N: `${keepUntilMs}` },
    ...(deletedBy === null ? {} : { DeletedBy: { S: deletedBy } }),
    ...(logId === null ? {} : { LogId: { S: logId } }),
    ...stateAttributes(backupId, state),
  };
}

export function deletedBackupOf(item: Item): DeletedBackup {
  return {
    ...stateOf(item),
    ...deletionRefOf(item),
    keepUntilMs: number(item, "KeepUntilMs"),
    deletedBy: item.DeletedBy === undefined ? null : text(item, "DeletedBy"),
    logId: item.LogId === undefined ? null : text(item, "LogId"),
  };
}

export function deletionRefOf(item: Item): DeletionRef {
  return { deletionId: text(item, "DeletionId"), deletedAtMs: number(item, "DeletedAtMs") };
}

/** Whether the collection of a state has begun: it reads as absent, and its blobs may be deleted. */
export function isTaken(item: Item): boolean {
  return item.Taken !== undefined;
}

/** Names a row of what is to be collected. */
export interface DueKey {
  readonly id: string;
  readonly dueMs: number;
}

export function dueKey({ id, dueMs }: DueKey): Item {
  return key(partitionOf("due", id), `${sortableMs(dueMs)}|${id}`);
}

/** To collect a state, unless it is brought back or forgotten before. */
export function dueDeletionItem(
  due: DueKey,
  backupId: string,
  { deletionId, deletedAtMs }: DeletionRef,
): Item {
  return {
    ...dueItem(due, backupId),
    DeletionId: { S: deletionId },
    DeletedAtMs: { N: `${deletedAtMs}` },
  };
}

/** To collect what nothing refers to. */
export function dueLeftoversItem(due: DueKey, backupId: string, { blobs, logIds }: Leftovers): Item {
  return {
    ...dueItem(due, backupId),
    Blobs: { S: JSON.stringify(blobs) },
    LogIds: { S: JSON.stringify(logIds) },
  };
}

function dueItem(due: DueKey, backupId: string): Item {
  return { ...dueKey(due), Id: { S: due.id }, DueMs: { N: `${due.dueMs}` }, BackupId: { S: backupId } };
}

export function dueOf(item: Item): DueKey & { readonly backupId: string } {
  return { id: text(item, "Id"), dueMs: number(item, "DueMs"), backupId: backupIdOf(item) };
}

/** `null` where the row is for a deleted state. */
export function leftoversOf(item: Item): Leftovers | null {
  if (item.Blobs === undefined) return null;
  const [blobs, logIds] = [json(item, "Blobs"), json(item, "LogIds")];
  if (!Array.isArray(blobs) || !blobs.every(isBlobRef)) return malformed("Blobs");
  if (!Array.isArray(logIds) || !logIds.every((logId) => typeof logId === "string"))
    return malformed("LogIds");
  return { blobs, logIds };
}

function isBlobRef(value: unknown): value is BlobRef {
  if (typeof value !== "object" || value === null) return false;
  if (!("key" in value && "size" in value && "sha256" in value)) return false;
  return typeof value.key === "string" && typeof value.size === "number" && typeof value.sha256 === "string";
}

export function leaseItem(holder: string, untilMs: number): Item {
  return { ...key("lease", "collection"), Holder: { S: holder }, UntilMs: { N: `${untilMs}` } };
}

export function logPartition(logId: string): string {
  return `log|${logId}`;
}

export function logKey(logId: string, eventId: string): Item {
  return key(logPartition(logId), eventId);
}

export function logItem(logId: string, event: NewEvent): Item {
  return { ...logKey(logId, event.id), ...eventAttributes(event), ...expiry(event.expiresAtMs) };
}

function eventAttributes({ backupId, atMs, body }: StoredEvent): Item {
  return { BackupId: { S: backupId }, AtMs: { N: `${atMs}` }, Body: { S: JSON.stringify(body) } };
}

function eventOf(item: Item, id: string): StoredEvent {
  return {
    id,
    backupId: backupIdOf(item),
    atMs: number(item, "AtMs"),
    body: jsonObject(item, "Body"),
  };
}

export function loggedEventOf(item: Item): StoredEvent {
  return eventOf(item, text(item, "SK"));
}

export function outboxKey(eventId: string, dueMs: number): Item {
  return key(partitionOf("outbox", eventId), `${sortableMs(dueMs)}|${eventId}`);
}

export function outboxItem({ event, attempts, dueMs }: QueuedEvent): Item {
  return {
    ...outboxKey(event.id, dueMs),
    ...eventAttributes(event),
    EventId: { S: event.id },
    DueMs: { N: `${dueMs}` },
    Attempts: { N: `${attempts}` },
  };
}

export function queuedEventOf(item: Item): QueuedEvent {
  return {
    event: eventOf(item, text(item, "EventId")),
    attempts: number(item, "Attempts"),
    dueMs: number(item, "DueMs"),
  };
}

export function surplusItem(logId: string): Item {
  return key(partitionOf("surplus", logId), logId);
}
