/** A change as the steps of one DynamoDB transaction. */
import type {
  PutItemCommandInput,
  TransactionCanceledException,
  TransactWriteItem,
  UpdateItemCommandInput,
} from "@aws-sdk/client-dynamodb";
import type { AwsStorageConfig } from "../../config/storage.ts";
import type { Nonce } from "../../runtime/nonce.ts";
import {
  type Change,
  ChangeRefused,
  type Conflict,
  type FactorRef,
  type SyncFactorToken,
} from "../contract.ts";
import { historySteps } from "./history/steps.ts";
import {
  backupKey,
  factorItem,
  factorKey,
  factorKeyText,
  type Item,
  nonceItem,
  oneTimeKey,
  recordItem,
  tokenItem,
} from "./tables.ts";

type Tables = AwsStorageConfig["tables"];

/** One write, and what the commit returns when its condition fails. */
export interface Step {
  readonly write: TransactWriteItem;
  readonly otherwise: Conflict | "not-ours" | "issued";
  /** The write by itself, for half the price of a transaction; not there where only a transaction will do. */
  readonly alone?: LoneWrite;
}

/** A write without a transaction. It can be repeated after a lost response. */
export interface LoneWrite {
  /** Its condition also holds where an earlier attempt of the same call has made the write. */
  readonly put: PutItemCommandInput;
  /** Whether others may replace what was written at any time. Then a failed condition after a lost response says nothing. */
  readonly isReplaceable: boolean;
}

/**
 * The steps of a change. Each item is named once, as DynamoDB requires. `nowMs` decides which one-time items have
 * expired.
 */
export function changeSteps(
  tables: Tables,
  change: Change,
  revision: string,
  nowMs: number,
): readonly Step[] {
  const { backupId } = change;
  const claims = distinctFactors(change.claim ?? []);
  const claimed = new Set(claims.map(factorKeyText));
  // a row to claim must not exist, so it need not be released
  const releases = distinctFactors(change.release ?? []).filter(
    (factor) => !claimed.has(factorKeyText(factor)),
  );
  return [
    recordStep(tables.backups, change, revision, nowMs),
    ...consumeSteps(tables, change.consume ?? [], change.issue, nowMs),
    ...markSteps(tables.oneTime, change),
    ...(change.redeem === undefined ? [] : [redeemStep(tables.oneTime, change.redeem, backupId, nowMs)]),
    ...claims.map((factor) => claimStep(tables.factorLookup, factor, backupId, nowMs)),
    ...releases.map((factor) => releaseStep(tables.factorLookup, factor, backupId)),
    ...historySteps(tables.history, change, revision, nowMs),
  ];
}

/** Consumes nonces and issues a token. @param consumer as for {@link nonceItem}. */
export function consumeSteps(
  tables: Tables,
  nonces: readonly Nonce[],
  issue: SyncFactorToken | undefined,
  nowMs: number,
  consumer: string | null = null,
): readonly Step[] {
  const distinct = new Map(nonces.map((nonce) => [nonce.id, nonce]));
  const put = (item: Item) => ({
    TableName: tables.oneTime,
    Item: item,
    // DynamoDB deletes expired items late
    ConditionExpression: "attribute_not_exists(PK) OR ExpiresAtMs <= :now",
    ExpressionAttributeValues: { ":now": { N: `${nowMs}` } },
  });
  const steps = [...distinct.values()].map((nonce): Step => {
    const write = put(nonceItem(nonce, consumer));
    const alone = consumer === null ? {} : { alone: consumeAlone(write, nonce, consumer) };
    return { write: { Put: write }, otherwise: "consumed", ...alone };
  });
  return issue === undefined
    ? steps
    : [...steps, { write: { Put: put(tokenItem(issue)) }, otherwise: "issued" }];
}

/**
 * Recognises the item of an earlier attempt by its consumer. Where an attempt arrives after the release, the item has that
 * consumer and has expired: it stays as it is.
 */
function consumeAlone(write: PutItemCommandInput, { expiresAtMs }: Nonce, consumer: string): LoneWrite {
  return {
    put: {
      ...write,
      ConditionExpression:
        "attribute_not_exists(PK) OR (ExpiresAtMs <= :now AND NOT SpentBy = :consumer) OR (SpentBy = :consumer AND ExpiresAtMs = :expiry)",
      ExpressionAttributeValues: {
        ...write.ExpressionAttributeValues,
        ":consumer": { S: consumer },
        ":expiry": { N: `${expiresAtMs}` },
      },
    },
    isReplaceable: false,
  };
}

/**
 * Makes the nonces that one call consumed expire, and the token that it issued unless that was redeemed. The items stay
 * until DynamoDB deletes them: an attempt to consume that arrives late has to find them.
 */
export function releaseUpdates(
  table: string,
  nonces: readonly Nonce[],
  issued: SyncFactorToken | undefined,
  consumer: string,
): readonly UpdateItemCommandInput[] {
  const expire = (id: string, condition: string, values: Item): UpdateItemCommandInput => ({
    TableName: table,
    Key: oneTimeKey(id),
    UpdateExpression: "SET ExpiresAtMs = :expired",
    ConditionExpression: condition,
    ExpressionAttributeValues: { ...values, ":expired": { N: "0" } },
  });
  const updates = [...new Set(nonces.map(({ id }) => id))].map((id) =>
    expire(id, "SpentBy = :consumer", { ":consumer": { S: consumer } }),
  );
  if (issued === undefined) return updates;
  // a later token of the same id has another expiry
  const token = expire(issued.id, "BackupId = :backup AND ExpiresAtMs = :expiry AND Spent = :false", {
    ":backup": { S: issued.backupId },
    ":expiry": { N: `${issued.expiresAtMs}` },
    ":false": { BOOL: false },
  });
  return [...updates, token];
}

/** A nonce that the change consumes is left out: no item may be named twice in a transaction. */
function markSteps(table: string, { mark = [], consume = [] }: Change): readonly Step[] {
  const consumed = new Set(consume.map(({ id }) => id));
  const marks = new Map(mark.filter(({ id }) => !consumed.has(id)).map((nonce) => [nonce.id, nonce]));
  return [...marks.values()].map((nonce) => ({
    write: { Put: { TableName: table, Item: nonceItem(nonce, null) } },
    otherwise: "consumed", // never: the write has no condition
  }));
}

function recordStep(
  table: string,
  { backupId, expect, next }: Change,
  revision: string,
  nowMs: number,
): Step {
  const condition =
    expect === "absent"
      ? { ConditionExpression: "attribute_not_exists(BackupId)" }
      : {
          ConditionExpression: "Revision = :revision",
          ExpressionAttributeValues: { ":revision": { S: expect.revision } },
        };
  const target = { TableName: table, ...condition };
  const otherwise = expect === "absent" ? "exists" : "revision";
  if (next === null) return { write: { Delete: { ...target, Key: backupKey(backupId) } }, otherwise };
  const put = { TableName: table, Item: recordItem(backupId, next, revision, nowMs), ...condition };
  if (expect === "absent") return { write: { Put: put }, otherwise };
  return { write: { Put: put }, otherwise, alone: updateAlone(put, expect.revision, revision) };
}

/** Recognises the record of an earlier attempt by its revision, until another commit has replaced it. */
function updateAlone(put: PutItemCommandInput, expected: string, revision: string): LoneWrite {
  return {
    put: {
      ...put,
      ConditionExpression: "Revision IN (:revision, :next)",
      ExpressionAttributeValues: { ":revision": { S: expected }, ":next": { S: revision } },
    },
    isReplaceable: true,
  };
}

function redeemStep(table: string, id: string, backupId: string, nowMs: number): Step {
  return {
    write: {
      Update: {
        TableName: table,
        Key: oneTimeKey(id),
        UpdateExpression: "SET Spent = :true",
        ConditionExpression: "BackupId = :backup AND Spent = :false AND ExpiresAtMs > :now",
        ExpressionAttributeValues: {
          ":backup": { S: backupId },
          ":true": { BOOL: true },
          ":false": { BOOL: false },
          ":now": { N: `${nowMs}` },
        },
      },
    },
    otherwise: "consumed",
  };
}

function claimStep(table: string, factor: FactorRef, backupId: string, nowMs: number): Step {
  return {
    write: {
      Put: {
        TableName: table,
        Item: factorItem(factor, backupId, nowMs),
        ConditionExpression: "attribute_not_exists(PK)",
      },
    },
    otherwise: "factor-claimed",
  };
}

/** Fails as if a row to claim existed. Deletes nothing: a check of conditions alone would need a permission of its own. */
export function failingStep(table: string): Step {
  return {
    write: {
      Delete: {
        TableName: table,
        Key: { PK: { S: "none" } },
        ConditionExpression: "attribute_exists(PK) AND attribute_not_exists(PK)",
      },
    },
    otherwise: "factor-claimed",
  };
}

function releaseStep(table: string, factor: FactorRef, backupId: string): Step {
  return {
    write: {
      Delete: {
        TableName: table,
        Key: factorKey(factor),
        ConditionExpression: "attribute_not_exists(PK) OR BackupId = :backup",
        ExpressionAttributeValues: { ":backup": { S: backupId } },
      },
    },
    otherwise: "not-ours",
  };
}

/** A row that is named twice counts once. */
export function distinctFactors(factors: readonly FactorRef[]): FactorRef[] {
  return [...new Map(factors.map((factor) => [factorKeyText(factor), factor])).values()];
}

/** The steps whose condition failed in a cancelled transaction. Rethrows where another reason may have hidden some. */
export function failedSteps(steps: readonly Step[], error: TransactionCanceledException): readonly Step[] {
  const codes = (error.CancellationReasons ?? []).map((reason) => reason.Code ?? "None");
  const failed = steps.filter((_, index) => codes[index] === "ConditionalCheckFailed");
  // "consumed" comes first in the order of conflicts, whatever the other reasons hide
  if (failed.some((step) => step.otherwise === "consumed")) return failed;
  const others = codes.filter((code) => code !== "None" && code !== "ConditionalCheckFailed");
  if (others.includes("ValidationError"))
    throw new ChangeRefused(`DynamoDB refuses the change: ${others.join(", ")}`, { cause: error });
  // if one step is throttled or conflicts, DynamoDB may not have checked the others: the transaction is retried
  if (others.length > 0 || failed.length === 0) throw error;
  return failed;
}
