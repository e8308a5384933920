/** What operators need of the record store: listings, what is swept, and the marks of the installation. */
import { DescribeTableCommand } from "@aws-sdk/client-dynamodb";
import type { AwsStorageConfig } from "../../config/storage.ts";
import { blobsOf, type FactorRef } from "../contract.ts";
import type {
  InstallationMark,
  ListedDeletion,
  ListedRecord,
  RecordInspection,
  Restore,
  RestoreLog,
  StoredFormat,
} from "../inspection.ts";
import { listDeleted } from "./history/deleted-states.ts";
import { countSurplus, deleteSurplus } from "./history/surplus.ts";
import type { HistoryTable } from "./history/table.ts";
import {
  addRestore,
  INSTALLATION_KEY,
  installationIdOf,
  isInstallationItem,
  LAYOUT,
  lastSeenMsOf,
  layoutOf,
  putInstallation,
  putLastSeen,
  restoresOf,
} from "./installation-item.ts";
import {
  asStored,
  backupIdOf,
  backupKey,
  blobOf,
  changedAtMsOf,
  factorKey,
  factorOf,
  type Item,
  versionsOf,
} from "./tables.ts";

export class AwsRecordInspection implements RecordInspection, InstallationMark, RestoreLog {
  readonly #tables: AwsStorageConfig["tables"];
  readonly #history: HistoryTable;

  constructor(tables: AwsStorageConfig["tables"], history: HistoryTable) {
    this.#tables = tables;
    this.#history = history;
  }

  async *list(after?: string): AsyncGenerator<ListedRecord> {
    const attributes = "BackupId, BlobKey, BlobSize, BlobSha256, Versions, ChangedAtMs";
    const items = this.#history.reads.scan(
      "the backups could not be listed",
      this.#tables.backups,
      attributes,
      after === undefined ? undefined : backupKey(after),
    );
    for await (const item of items)
      if (!isInstallationItem(item))
        yield {
          backupId: backupIdOf(item),
          blobs: blobsOf({ blob: blobOf(item), versions: versionsOf(item) }),
          changedAtMs: changedAtMsOf(item),
        };
  }

  listDeleted(): AsyncGenerator<ListedDeletion> {
    return listDeleted(this.#history);
  }

  async *listFactors(after?: FactorRef) {
    const { factorLookup } = this.#tables;
    const purpose = "the index could not be listed";
    const start = after && factorKey(after);
    const items = this.#history.reads.scan(purpose, factorLookup, "PK, BackupId", start);
    for await (const item of items) yield { factor: factorOf(item), backupId: backupIdOf(item) };
  }

  asStored(factor: FactorRef): FactorRef {
    return asStored(factor);
  }

  /** DynamoDB deletes expired items by itself, but not the surplus events of logs. */
  sweepExpired(): Promise<number> {
    return deleteSurplus(this.#history);
  }

  countExpired(): Promise<number> {
    return countSurplus(this.#history);
  }

  /** DynamoDB counts the items of a table every six hours. One of them is that of the installation. */
  async recentCount(): Promise<number | null> {
    const { client, attempt } = this.#history;
    const command = new DescribeTableCommand({ TableName: this.#tables.backups });
    const { Table } = await attempt("the backups could not be counted", (abortSignal) =>
      client.send(command, { abortSignal }),
    );
    return Math.max(0, (Table?.ItemCount ?? 0) - 1);
  }

  async format(): Promise<StoredFormat> {
    const item = await this.#installation();
    return { name: "layout of tables and bucket", version: item === null ? LAYOUT : layoutOf(item) };
  }

  async installationId(): Promise<string | null> {
    const item = await this.#installation();
    return item && installationIdOf(item);
  }

  async markInstallation(id: string): Promise<string> {
    const { client, attempt } = this.#history;
    await attempt("the records could not be marked", (abortSignal) =>
      putInstallation(client, this.#tables.backups, id, abortSignal),
    );
    return (await this.installationId()) ?? id;
  }

  async lastSeenMs(): Promise<number | null> {
    const item = await this.#installation();
    return item && lastSeenMsOf(item);
  }

  async markSeen(nowMs: number): Promise<void> {
    const { client, attempt } = this.#history;
    await attempt("the records could not be marked", (abortSignal) =>
      putLastSeen(client, this.#tables.backups, nowMs, abortSignal),
    );
  }

  async restores(): Promise<readonly Restore[]> {
    const item = await this.#installation();
    return item === null ? [] : restoresOf(item);
  }

  async noteRestore(restore: Restore): Promise<void> {
    const { client, attempt } = this.#history;
    await attempt("the restore could not be noted", (abortSignal) =>
      addRestore(client, this.#tables.backups, restore, abortSignal),
    );
  }

  async #installation(): Promise<Item | null> {
    const item = await this.#history.reads.item(this.#tables.backups, INSTALLATION_KEY);
    if (item !== null) layoutOf(item);
    return item;
  }
}
