/** Deleted states in the history table. */
import { blobsOf, type DeletedBackup, type DeletionRef } from "../../contract.ts";
import type { ListedDeletion } from "../../inspection.ts";
import { backupIdOf, blobOf, type Item, number, versionsOf } from "../tables.ts";
import {
  deletedBackupOf,
  deletionKey,
  deletionRefOf,
  deletionsOf,
  dueOf,
  isTaken,
  leftoversOf,
  partitionsOf,
} from "./items.ts";
import type { HistoryTable } from "./table.ts";

/** How many states are read at a time. Most backups have one; one takes up to 400 KB. */
const PAGE = 10;

/** As `RecordStore.readDeleted`. */
export async function readDeleted(
  { name, reads, clock }: HistoryTable,
  backupId: string,
  after?: DeletionRef,
): Promise<readonly DeletedBackup[]> {
  const { partition, begin } = deletionsOf(backupId);
  const pages = reads.query("the deleted backups could not be read", {
    TableName: name,
    KeyConditionExpression: "PK = :partition AND begins_with(SK, :begin)",
    ExpressionAttributeValues: { ":partition": { S: partition }, ":begin": { S: begin } },
    ScanIndexForward: false,
    Limit: PAGE,
    ...(after !== undefined && { ExclusiveStartKey: deletionKey(backupId, after) }),
  });
  for await (const items of pages) {
    const kept = items.filter((item) => !isTaken(item) && number(item, "KeepUntilMs") > clock.nowMs());
    if (kept.length > 0) return kept.map(deletedBackupOf);
  }
  return [];
}

/** As `RecordInspection.listDeleted`. States come first: one that is forgotten meanwhile is among the leftovers then. */
export async function* listDeleted(table: HistoryTable): AsyncGenerator<ListedDeletion> {
  const attributes =
    "BackupId, DeletionId, DeletedAtMs, KeepUntilMs, Taken, BlobKey, BlobSize, BlobSha256, Versions";
  for await (const item of shardsOf(table, "deleted", attributes)) {
    const kept = { ...deletionRefOf(item), keepUntilMs: number(item, "KeepUntilMs") };
    yield {
      backupId: backupIdOf(item),
      kept: isTaken(item) ? null : kept,
      blobs: blobsOf({ blob: blobOf(item), versions: versionsOf(item) }),
    };
  }
  for await (const item of shardsOf(table, "due", "Id, DueMs, BackupId, Blobs, LogIds")) {
    const { blobs = [] } = leftoversOf(item) ?? {};
    if (blobs.length > 0) yield { backupId: dueOf(item).backupId, kept: null, blobs };
  }
}

async function* shardsOf(
  { name, reads }: HistoryTable,
  kind: "deleted" | "due",
  attributes: string,
): AsyncGenerator<Item> {
  for (const partition of partitionsOf(kind))
    for await (const items of reads.query("the deleted backups could not be listed", {
      TableName: name,
      KeyConditionExpression: "PK = :partition",
      ExpressionAttributeValues: { ":partition": { S: partition } },
      ProjectionExpression: attributes,
    }))
      yield* items;
}
