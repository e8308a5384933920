/** The record store on DynamoDB. Every change is one transaction, or one write: all of it or nothing. */
import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  type DeleteItemCommandInput,
  UpdateItemCommand,
  type UpdateItemCommandInput,
} from "@aws-sdk/client-dynamodb";
import type { AwsStorageConfig } from "../../config/storage.ts";
import type { Clock, Random } from "../../runtime/clock.ts";
import type { Nonce } from "../../runtime/nonce.ts";
import type {
  Change,
  Conflict,
  Consumption,
  DeletedBackup,
  DeletionRef,
  FactorRef,
  NewEvent,
  StoredRecord,
  SyncFactorToken,
} from "../contract.ts";
import type { Collection, InspectableRecords } from "../inspection.ts";
import { requireInTime } from "../late-changes.ts";
import type { Outbox } from "../outbox.ts";
import { changeSteps, consumeSteps, failingStep, releaseUpdates, type Step } from "./changes.ts";
import {
  createDynamoDbClient,
  createDynamoDbSender,
  type DynamoDbSender,
  requireCredentials,
} from "./clients.ts";
import { createCollection } from "./history/collection.ts";
import { readDeleted } from "./history/deleted-states.ts";
import { readEvents } from "./history/log.ts";
import { createOutbox } from "./history/outbox.ts";
import { eventDeletions, eventSteps } from "./history/steps.ts";
import type { HistoryTable } from "./history/table.ts";
import { commitInTransactions } from "./many-rows.ts";
import { probeId } from "./probe.ts";
import { createTableReads, lacking, type TableReads } from "./reads.ts";
import { AwsRecordInspection } from "./record-inspection.ts";
import { type Attempt, DEFAULT_RETRY, type RetryPolicy, withRetries } from "./retry.ts";
import { requireActive, requireTables, requireWritable } from "./table-health.ts";
import {
  backupIdOf,
  backupKey,
  counterUpdate,
  factorKey,
  factorKeyText,
  factorOf,
  type Item,
  isLive,
  number,
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
  /** Whether a service opens it. Then the tables are required to exist. Not by default. */
  readonly serves?: boolean;
}

/** @throws ConfigError without credentials; StartError when a service lacks a table. */
export async function openAwsRecords(
  config: AwsStorageConfig,
  options: AwsStoreOptions,
): Promise<InspectableRecords> {
  const sdk = createDynamoDbClient(config);
  await requireCredentials(sdk);
  const client = createDynamoDbSender(sdk, config);
  const { clock, random, onClockSkew } = options;
  const retry: RetryPolicy = { ...DEFAULT_RETRY, ...(onClockSkew && { onClockSkew }), ...options.retry };
  const attempt: Attempt = (purpose, run) => withRetries(purpose, retry, random, run);
  const reads = createTableReads(client, attempt);
  const records = new AwsRecords(config.tables, {
    client,
    reads,
    attempt,
    clock,
    random,
    transact: (steps, beforeSending) => transact(client, steps, beforeSending, { clock, random, retry }),
  });
  if (options.serves) await records.requireTables();
  return records;
}

/** In the order of {@link Conflict}. */
const CONFLICTS: readonly Conflict[] = ["consumed", "exists", "revision", "not-kept", "factor-claimed"];

/** How the tables are used. */
interface Access extends Omit<HistoryTable, "name" | "transact"> {
  readonly random: Random;
  /** As {@link transact}. */
  readonly transact: (steps: readonly Step[], beforeSending: () => void) => Promise<readonly Step[]>;
}

class AwsRecords extends AwsRecordInspection implements InspectableRecords {
  readonly outbox: Outbox;
  readonly collection: Collection;
  readonly #tables: AwsStorageConfig["tables"];
  readonly #client: DynamoDbSender;
  readonly #reads: TableReads;
  readonly #attempt: Attempt;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #transact: Access["transact"];
  readonly #history: HistoryTable;

  constructor(tables: AwsStorageConfig["tables"], access: Access) {
    const history = {
      ...access,
      name: tables.history,
      transact: (steps: readonly Step[]) => access.transact(steps, () => {}),
    };
    super(tables, history);
    this.#tables = tables;
    this.#client = access.client;
    this.#reads = access.reads;
    this.#attempt = access.attempt;
    this.#clock = access.clock;
    this.#random = access.random;
    this.#transact = access.transact;
    this.#history = history;
    this.outbox = createOutbox(history);
    this.collection = createCollection(history);
  }

  async locate(factor: FactorRef, nonces: readonly Nonce[]) {
    const { factorLookup, oneTime } = this.#tables;
    const found = await this.#reads.items({
      [factorLookup]: [factorKey(factor)],
      [oneTime]: nonceKeys(nonces),
    });
    const index = found.get(factorLookup)?.[0];
    return {
      backupId: index === undefined ? null : backupIdOf(index),
      consumed: this.#anyLive(found.get(oneTime)),
    };
  }

  async isConsumed(nonces: readonly Nonce[]): Promise<boolean> {
    const { oneTime } = this.#tables;
    const found = await this.#reads.items({ [oneTime]: nonceKeys(nonces) });
    return this.#anyLive(found.get(oneTime));
  }

  async read(backupId: string): Promise<StoredRecord | null> {
    const item = await this.#reads.item(this.#tables.backups, backupKey(backupId));
    return item === null ? null : recordOf(item);
  }

  commit(change: Change): Promise<"committed" | Conflict> {
    const revision = this.#random.uuid();
    const nowMs = this.#clock.nowMs();
    return commitInTransactions(change, {
      revision,
      commit: (each, mustFail) => this.#commitInOne(each, revision, nowMs, mustFail),
      notLeadingTo: (backupId, factors) => this.#notLeadingTo(backupId, factors),
    });
  }

  async #notLeadingTo(backupId: string, factors: readonly FactorRef[]): Promise<readonly FactorRef[]> {
    const { factorLookup } = this.#tables;
    const keys = new Map(factors.map((factor) => [factorKeyText(factor), factorKey(factor)]));
    const found = (await this.#reads.items({ [factorLookup]: [...keys.values()] })).get(factorLookup) ?? [];
    const ours = new Set(
      found.filter((item) => backupIdOf(item) === backupId).map((item) => factorKeyText(factorOf(item))),
    );
    return factors.filter((factor) => !ours.has(factorKeyText(factor)));
  }

  async #commitInOne(
    change: Change,
    revision: string,
    nowMs: number,
    mustFail = false,
  ): Promise<"committed" | Conflict> {
    // DynamoDB refuses a transaction that names an item twice; and no id is both a nonce and a token
    if (change.consume?.some(({ id }) => id === change.redeem)) return "consumed";
    const notOurs = new Set<Step>();
    const steps = [
      ...changeSteps(this.#tables, change, revision, nowMs),
      ...(mustFail ? [failingStep(this.#tables.factorLookup)] : []),
    ];
    for (;;) {
      const remaining = steps.filter((step) => !notOurs.has(step));
      const failed = await this.#transact(remaining, () => requireInTime(change, this.#clock));
      if (failed.length === 0) return "committed";
      const conflict = CONFLICTS.find((name) => failed.some((step) => step.otherwise === name));
      if (conflict !== undefined) return conflict;
      if (failed.some((step) => step.otherwise === "issued")) throw issuedBefore();
      // Only rows to release failed, because other backups have them. Those rows are left out of the next attempt: one
      // can become ours only by a commit of this backup, and then the revision differs.
      for (const step of failed) notOurs.add(step);
    }
  }

  async consume(
    nonces: readonly Nonce[],
    issue?: SyncFactorToken,
    events: readonly NewEvent[] = [],
  ): Promise<Consumption | null> {
    const consumer = this.#random.uuid();
    const steps = [
      ...consumeSteps(this.#tables, nonces, issue, this.#clock.nowMs(), consumer),
      ...eventSteps(this.#tables.history, events),
    ];
    const failed = await this.#transact(steps, () => requireInTime({ consume: nonces }, this.#clock));
    if (failed.some((step) => step.otherwise === "consumed")) return null;
    if (failed.length > 0) throw issuedBefore();
    const updates = releaseUpdates(this.#tables.oneTime, nonces, issue, consumer);
    const deletions = eventDeletions(this.#tables.history, events);
    return { release: () => this.#release(updates, deletions) };
  }

  /** Conditional, since a request may arrive after another call has consumed the same nonce. */
  async #release(
    updates: readonly UpdateItemCommandInput[],
    deletions: readonly DeleteItemCommandInput[],
  ): Promise<void> {
    const attempt = (send: (abortSignal: AbortSignal) => Promise<unknown>) =>
      this.#attempt("a nonce could not be released", async (abortSignal) => {
        try {
          await send(abortSignal);
        } catch (error) {
          if (!(error instanceof ConditionalCheckFailedException)) throw error;
        }
      });
    await Promise.all([
      ...updates.map((update) =>
        attempt((abortSignal) => this.#client.send(new UpdateItemCommand(update), { abortSignal })),
      ),
      ...deletions.map((deletion) =>
        attempt((abortSignal) => this.#client.send(new DeleteItemCommand(deletion), { abortSignal })),
      ),
    ]);
  }

  readDeleted(backupId: string, after?: DeletionRef): Promise<readonly DeletedBackup[]> {
    return readDeleted(this.#history, backupId, after);
  }

  readEvents(logId: string, page: { readonly before: string | null; readonly limit: number }) {
    return readEvents(this.#history, logId, page);
  }

  async readToken(id: string) {
    const item = await this.#reads.item(this.#tables.oneTime, oneTimeKey(id));
    return item !== null && isLive(item, this.#clock.nowMs()) ? tokenOf(item) : null;
  }

  async addToCounter(id: string, amount: number, expiresAtMs: number): Promise<number> {
    const command = new UpdateItemCommand({
      ...counterUpdate(this.#tables.oneTime, id, amount, expiresAtMs),
      ReturnValues: "UPDATED_NEW",
    });
    return this.#attempt("the counter could not be changed", async (abortSignal) => {
      const { Attributes } = await this.#client.send(command, { abortSignal });
      return number(Attributes?.CounterSum === undefined ? lacking("the sum") : Attributes, "CounterSum");
    });
  }

  ready(): Promise<void> {
    return requireActive(this.#client, this.#tables, this.#attempt);
  }

  /** As {@link requireTables}. */
  requireTables(): Promise<void> {
    return requireTables(this.#client, this.#tables, this.#attempt);
  }

  writable(): Promise<void> {
    const probe = { id: probeId(this.#random), nowMs: this.#clock.nowMs() };
    return requireWritable(this.#client, this.#tables, probe, this.#attempt);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy();
  }

  #anyLive(items: readonly Item[] = []): boolean {
    const nowMs = this.#clock.nowMs();
    return items.some((item) => isLive(item, nowMs));
  }
}

function nonceKeys(nonces: readonly Nonce[]): readonly Item[] {
  return [...new Set(nonces.map(({ id }) => id))].map(oneTimeKey);
}

function issuedBefore(): Error {
  return new Error("a sync factor token of this id was already issued");
}
