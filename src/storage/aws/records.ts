/** The record store on DynamoDB. Every change is one transaction: all of it or nothing. */
import {
  BatchGetItemCommand,
  ConditionalCheckFailedException,
  DeleteItemCommand,
  DescribeTableCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  ScanCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import type { AwsStorageConfig } from "../../config/storage.ts";
import type { Clock, Random } from "../../runtime/clock.ts";
import {
  type Change,
  type Conflict,
  type Consumption,
  type FactorRef,
  type Nonce,
  StorageUnavailable,
  type StoredRecord,
  type SyncFactorToken,
} from "../contract.ts";
import type { InspectableRecords, Restore } from "../inspection.ts";
import { requireInTime } from "../late-changes.ts";
import { changeSteps, consumeSteps, releaseDeletions, type Step } from "./changes.ts";
import { createDynamoDbClient, requireCredentials } from "./clients.ts";
import {
  addRestore,
  INSTALLATION_KEY,
  installationIdOf,
  isInstallationItem,
  lastSeenMsOf,
  putInstallation,
  putLastSeen,
  restoresOf,
} from "./installation-item.ts";
import { probeId } from "./probe.ts";
import { DEFAULT_RETRY, type RetryPolicy, TryAgain, withRetries } from "./retry.ts";
import {
  asStored,
  backupIdOf,
  backupKey,
  blobOf,
  changedAtMsOf,
  counterUpdate,
  factorKey,
  factorOf,
  type Item,
  isLive,
  nonceItem,
  oneTimeKey,
  recordOf,
  tokenOf,
} from "./tables.ts";
import { transact } from "./transactions.ts";

export interface AwsStoreOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly retry?: Partial<RetryPolicy>;
  readonly onClockSkew?: RetryPolicy["onClockSkew"];
}

export async function openAwsRecords(
  config: AwsStorageConfig,
  options: AwsStoreOptions,
): Promise<InspectableRecords> {
  const client = createDynamoDbClient(config);
  await requireCredentials(client);
  return new AwsRecords(client, config.tables, options);
}

/** How long an item stays that shows that the table takes a write. */
const PROBE_KEPT_MS = 60_000;

/** The order of {@link Conflict}: the first that applies is returned. */
const CONFLICTS: readonly Conflict[] = ["consumed", "exists", "revision", "factor-claimed"];

class AwsRecords implements InspectableRecords {
  readonly #client: DynamoDBClient;
  readonly #tables: AwsStorageConfig["tables"];
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #retry: RetryPolicy;

  constructor(
    client: DynamoDBClient,
    tables: AwsStorageConfig["tables"],
    { clock, random, retry, onClockSkew }: AwsStoreOptions,
  ) {
    this.#client = client;
    this.#tables = tables;
    this.#clock = clock;
    this.#random = random;
    this.#retry = { ...DEFAULT_RETRY, ...(onClockSkew && { onClockSkew }), ...retry };
  }

  async locate(factor: FactorRef, nonces: readonly Nonce[]) {
    const { factorLookup, oneTime } = this.#tables;
    const found = await this.#batchGet({ [factorLookup]: [factorKey(factor)], [oneTime]: nonceKeys(nonces) });
    const index = found.get(factorLookup)?.[0];
    return {
      backupId: index === undefined ? null : backupIdOf(index),
      consumed: this.#anyLive(found.get(oneTime)),
    };
  }

  async isConsumed(nonces: readonly Nonce[]): Promise<boolean> {
    const { oneTime } = this.#tables;
    const found = await this.#batchGet({ [oneTime]: nonceKeys(nonces) });
    return this.#anyLive(found.get(oneTime));
  }

  async read(backupId: string): Promise<StoredRecord | null> {
    const item = await this.#get(this.#tables.backups, backupKey(backupId));
    return item === null ? null : recordOf(item);
  }

  async commit(change: Change): Promise<"committed" | Conflict> {
    // no item of a transaction may be named twice, and nothing is a nonce and a token
    if (change.consume?.some(({ id }) => id === change.redeem)) return "consumed";
    const revision = this.#random.uuid();
    const nowMs = this.#clock.nowMs();
    const notOurs = new Set<Step>();
    const steps = changeSteps(this.#tables, change, revision, nowMs);
    for (;;) {
      const remaining = steps.filter((step) => !notOurs.has(step));
      const failed = await this.#transact(remaining, () => requireInTime(change, this.#clock));
      if (failed.length === 0) return "committed";
      const conflict = CONFLICTS.find((name) => failed.some((step) => step.otherwise === name));
      if (conflict !== undefined) return conflict;
      if (failed.some((step) => step.otherwise === "issued")) throw issuedBefore();
      // All that stood in the way were rows to release that another backup has. They stay out from here on: such a
      // row can become ours only by a commit of this backup, which the check of the revision would notice.
      for (const step of failed) notOurs.add(step);
    }
  }

  async consume(nonces: readonly Nonce[], issue?: SyncFactorToken): Promise<Consumption | null> {
    const consumer = this.#random.uuid();
    const steps = consumeSteps(this.#tables, nonces, issue, this.#clock.nowMs(), consumer);
    const failed = await this.#transact(steps, () => requireInTime({ consume: nonces }, this.#clock));
    if (failed.some((step) => step.otherwise === "consumed")) return null;
    if (failed.length > 0) throw issuedBefore();
    return { release: () => this.#release(nonces, issue, consumer) };
  }

  /** The conditions hold where the request is delivered late, and another call has consumed the same nonce meanwhile. */
  async #release(
    nonces: readonly Nonce[],
    issued: SyncFactorToken | undefined,
    consumer: string,
  ): Promise<void> {
    const deletions = releaseDeletions(this.#tables.oneTime, nonces, issued, consumer);
    await Promise.all(
      deletions.map((deletion) =>
        this.#attempt("a nonce could not be released", async (abortSignal) => {
          try {
            await this.#client.send(new DeleteItemCommand(deletion), { abortSignal });
          } catch (error) {
            if (!(error instanceof ConditionalCheckFailedException)) throw error;
          }
        }),
      ),
    );
  }

  async readToken(id: string) {
    const item = await this.#get(this.#tables.oneTime, oneTimeKey(id));
    return item !== null && isLive(item, this.#clock.nowMs()) ? tokenOf(item) : null;
  }

  async addToCounter(id: string, amount: number, expiresAtMs: number): Promise<number> {
    const command = new UpdateItemCommand({
      ...counterUpdate(this.#tables.oneTime, id, amount, expiresAtMs),
      ReturnValues: "UPDATED_NEW",
    });
    return this.#attempt("the counter could not be changed", async (abortSignal) => {
      const { Attributes } = await this.#client.send(command, { abortSignal });
      return Number(Attributes?.CounterSum?.N ?? lacking("the sum"));
    });
  }

  async *list() {
    const attributes = "BackupId, BlobKey, BlobSize, BlobSha256, ChangedAtMs";
    for await (const item of this.#scan("the backups could not be listed", this.#tables.backups, attributes))
      if (!isInstallationItem(item))
        yield { backupId: backupIdOf(item), blob: blobOf(item), changedAtMs: changedAtMsOf(item) };
  }

  async *listFactors() {
    const { factorLookup } = this.#tables;
    for await (const item of this.#scan("the index could not be listed", factorLookup, "PK, BackupId"))
      yield { factor: factorOf(item), backupId: backupIdOf(item) };
  }

  asStored(factor: FactorRef): FactorRef {
    return asStored(factor);
  }

  /** DynamoDB collects expired items by itself. */
  async sweepExpired(): Promise<number> {
    return 0;
  }

  async countExpired(): Promise<number> {
    return 0;
  }

  async installationId(): Promise<string | null> {
    const item = await this.#get(this.#tables.backups, INSTALLATION_KEY);
    return item && installationIdOf(item);
  }

  async markInstallation(id: string): Promise<string> {
    await this.#attempt("the records could not be marked", (abortSignal) =>
      putInstallation(this.#client, this.#tables.backups, id, abortSignal),
    );
    return (await this.installationId()) ?? id;
  }

  async lastSeenMs(): Promise<number | null> {
    const item = await this.#get(this.#tables.backups, INSTALLATION_KEY);
    return item && lastSeenMsOf(item);
  }

  async markSeen(nowMs: number): Promise<void> {
    await this.#attempt("the records could not be marked", (abortSignal) =>
      putLastSeen(this.#client, this.#tables.backups, nowMs, abortSignal),
    );
  }

  async restores(): Promise<readonly Restore[]> {
    const item = await this.#get(this.#tables.backups, INSTALLATION_KEY);
    return item === null ? [] : restoresOf(item);
  }

  async noteRestore(restore: Restore): Promise<void> {
    await this.#attempt("the restore could not be noted", (abortSignal) =>
      addRestore(this.#client, this.#tables.backups, restore, abortSignal),
    );
  }

  async ready(): Promise<void> {
    await Promise.all(
      Object.values(this.#tables).map(async (name) => {
        const purpose = `the DynamoDB table ${name} cannot be used`;
        const { Table } = await this.#attempt(purpose, (abortSignal) =>
          this.#client.send(new DescribeTableCommand({ TableName: name }), { abortSignal }),
        );
        // a table is in use as before while its settings are changed
        if (Table?.TableStatus !== "ACTIVE" && Table?.TableStatus !== "UPDATING")
          throw new StorageUnavailable(`${purpose}: it is ${Table?.TableStatus ?? "in no known state"}`);
      }),
    );
  }

  /** Puts an item where items expire; elsewhere it removes one that is never there, which is a write as well. */
  async writable(): Promise<void> {
    const { factorLookup, backups, oneTime } = this.#tables;
    const id = probeId(this.#random);
    const item = nonceItem({ id, expiresAtMs: this.#clock.nowMs() + PROBE_KEPT_MS }, null);
    const put = new PutItemCommand({ TableName: oneTime, Item: item });
    const remove = (table: string, key: Item) => new DeleteItemCommand({ TableName: table, Key: key });
    await Promise.all([
      this.#attempt(`the DynamoDB table ${oneTime} takes no write`, (abortSignal) =>
        this.#client.send(put, { abortSignal }),
      ),
      ...[remove(factorLookup, { PK: { S: id } }), remove(backups, backupKey(id))].map((command) =>
        this.#attempt(`the DynamoDB table ${command.input.TableName} takes no write`, (abortSignal) =>
          this.#client.send(command, { abortSignal }),
        ),
      ),
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy();
  }

  /** As {@link transact}. */
  #transact(steps: readonly Step[], mayBeSent: () => void): Promise<readonly Step[]> {
    const options = { clock: this.#clock, random: this.#random, retry: this.#retry };
    return transact(this.#client, steps, mayBeSent, options);
  }

  #anyLive(items: readonly Item[] = []): boolean {
    const nowMs = this.#clock.nowMs();
    return items.some((item) => isLive(item, nowMs));
  }

  async #get(table: string, key: Item): Promise<Item | null> {
    const command = new GetItemCommand({ TableName: table, Key: key, ConsistentRead: true });
    const { Item } = await this.#attempt("the record could not be read", (abortSignal) =>
      this.#client.send(command, { abortSignal }),
    );
    return Item ?? null;
  }

  /** Every item of a table, page by page. */
  async *#scan(purpose: string, table: string, attributes: string): AsyncGenerator<Item> {
    let next: Item | undefined;
    do {
      const start = next === undefined ? {} : { ExclusiveStartKey: next };
      const command = new ScanCommand({
        TableName: table,
        ConsistentRead: true, // an item that was there before the list began must not be missed
        ProjectionExpression: attributes,
        ...start,
      });
      const { items, last } = await this.#attempt(purpose, async (abortSignal) => {
        const page = await this.#client.send(command, { abortSignal });
        return { items: page.Items ?? lacking("the items"), last: page.LastEvaluatedKey };
      });
      yield* items;
      next = last;
    } while (next !== undefined);
  }

  /** Reads items of several tables in one call, strongly consistent. Those that are not there are left out. */
  async #batchGet(wanted: Record<string, readonly Item[]>): Promise<ReadonlyMap<string, readonly Item[]>> {
    const found = new Map<string, Item[]>();
    let missing: Record<string, { Keys: Item[]; ConsistentRead: true }> = {};
    for (const [table, keys] of Object.entries(wanted))
      if (keys.length > 0) missing[table] = { Keys: [...keys], ConsistentRead: true };
    if (Object.keys(missing).length === 0) return found;
    await this.#attempt("the index could not be read", async (abortSignal) => {
      const command = new BatchGetItemCommand({ RequestItems: missing });
      const { Responses, UnprocessedKeys } = await this.#client.send(command, { abortSignal });
      for (const [table, items] of Object.entries(Responses ?? lacking("the items")))
        found.set(table, [...(found.get(table) ?? []), ...items]);
      missing = {};
      for (const [table, { Keys }] of Object.entries(UnprocessedKeys ?? {}))
        if (Keys !== undefined && Keys.length > 0) missing[table] = { Keys, ConsistentRead: true };
      if (Object.keys(missing).length > 0) throw new TryAgain("DynamoDB left keys unprocessed");
    });
    return found;
  }

  #attempt<T>(purpose: string, attempt: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return withRetries(purpose, this.#retry, this.#random, attempt);
  }
}

function nonceKeys(nonces: readonly Nonce[]): readonly Item[] {
  return [...new Set(nonces.map(({ id }) => id))].map(oneTimeKey);
}

/** A member that every answer of DynamoDB has is missing: that does not mean that there is none. */
function lacking(what: string): never {
  throw new TryAgain(`an answer of DynamoDB lacks ${what}`);
}

function issuedBefore(): Error {
  return new Error("a sync factor token of this id was already issued");
}
