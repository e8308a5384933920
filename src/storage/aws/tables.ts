/** The keys of the tables, and the items that factors, records, nonces and sync factor tokens are stored as. */
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import type { AwsStorageConfig } from "../../config/storage.ts";
import type { Nonce } from "../../runtime/nonce.ts";
import {
  type BackupRecord,
  type BlobRef,
  ChangeRefused,
  type FactorRef,
  type JsonObject,
  type NextRecord,
  StorageUnavailable,
  type StoredRecord,
  type StoredVersion,
  type SyncFactorToken,
} from "../contract.ts";
import { storedKey } from "../stored-key.ts";
import { packVersions, unpackVersions } from "./packed-versions.ts";

export type Item = Record<string, AttributeValue>;

/** The partition key of each table, and its sort key if it has one; all are strings. */
export const KEYS = {
  factorLookup: ["PK"],
  backups: ["BackupId"],
  oneTime: ["PK"],
  history: ["PK", "SK"],
} as const satisfies Record<keyof AwsStorageConfig["tables"], readonly string[]>;

/** The attribute by which DynamoDB expires items of the one-time and the history table: seconds since the epoch. */
export const TTL_ATTRIBUTE = "ExpiresAt";

/** DynamoDB deletes an item no earlier than this after its expiry, since its clock may differ from ours. */
const TTL_MARGIN_SECONDS = 3_600;

/**
 * The size of a record's item. DynamoDB takes 400 KB; the rest is for what the item has in addition when the record is
 * kept after its deletion: a backup that could be stored can be deleted.
 */
const MAX_RECORD_BYTES = 400 * 1024 - 1024;

/** Partition keys have at most 2048 bytes of UTF-8; the rest is for the scope. */
const MAX_KEY_BYTES = 2_000;

/** The size of an item as DynamoDB counts it, or a few bytes more for each number. Its attributes are texts and numbers. */
function itemBytes(item: Item): number {
  return Object.entries(item).reduce(
    (bytes, [name, { S, N }]) => bytes + Buffer.byteLength(name) + Buffer.byteLength(S ?? N ?? ""),
    0,
  );
}

export function factorKey(factor: FactorRef): Item {
  return { PK: { S: factorKeyText(factor) } };
}

/** The key of the index row of a factor, whether or not the factor is named as the store has it. */
export function factorKeyText(factor: FactorRef): string {
  const { scope, key } = asStored(factor);
  return `${scope}#${key}`;
}

export function asStored({ scope, key, stored }: FactorRef): FactorRef {
  return { scope, key: stored ? key : storedKey(key, MAX_KEY_BYTES), stored: true };
}

export function backupKey(backupId: string): Item {
  return { BackupId: { S: backupId } };
}

export function oneTimeKey(id: string): Item {
  return { PK: { S: storedKey(id, MAX_KEY_BYTES) } };
}

export function factorItem(factor: FactorRef, backupId: string, nowMs: number): Item {
  return { ...factorKey(factor), BackupId: { S: backupId }, CreatedAt: { N: `${nowMs}` } };
}

/** @throws ChangeRefused when the item would be too large. */
export function recordItem(
  backupId: string,
  { changedAtMs, ...state }: NextRecord,
  revision: string,
  nowMs: number,
): Item {
  const changed = changedAtMs === undefined ? nowMs : changedAtMs;
  const item = {
    ...backupKey(backupId),
    Revision: { S: revision },
    ...stateAttributes(backupId, state),
    ...(changed === null ? {} : { ChangedAtMs: { N: `${changed}` } }),
  };
  if (itemBytes(item) > MAX_RECORD_BYTES) throw new ChangeRefused("the record is too large for DynamoDB");
  return item;
}

/** Metadata is stored as one JSON text: DynamoDB's maps keep neither the order of members nor every name. */
export function stateAttributes(backupId: string, { blob, metadata, versions }: BackupRecord): Item {
  return {
    BlobKey: { S: blob.key },
    BlobSize: { N: `${blob.size}` },
    BlobSha256: { S: blob.sha256 },
    Metadata: { S: JSON.stringify(metadata) },
    ...(versions.length === 0 ? {} : { Versions: { S: packVersions(backupId, versions) } }),
  };
}

/** @param consumer the id of the call that consumes the nonce, if that call may release it. */
export function nonceItem({ id, expiresAtMs }: Nonce, consumer: string | null): Item {
  return {
    ...oneTimeKey(id),
    ...expiry(expiresAtMs),
    Spent: { BOOL: true },
    ...(consumer === null ? {} : { SpentBy: { S: consumer } }),
  };
}

export function tokenItem({ id, expiresAtMs, backupId, holder }: SyncFactorToken): Item {
  return {
    ...oneTimeKey(id),
    ...expiry(expiresAtMs),
    Spent: { BOOL: false },
    BackupId: { S: backupId },
    Holder: { S: holder },
  };
}

/** Adds to a counter, an item of the one-time table, whose items expire. */
export function counterUpdate(table: string, id: string, amount: number, expiresAtMs: number) {
  return {
    TableName: table,
    Key: oneTimeKey(`counter|${id}`),
    UpdateExpression: `ADD CounterSum :amount SET ExpiresAtMs = :ms, ${TTL_ATTRIBUTE} = :seconds`,
    ExpressionAttributeValues: {
      ":amount": { N: `${amount}` },
      ":ms": { N: `${expiresAtMs}` },
      ":seconds": { N: `${ttlSeconds(expiresAtMs)}` },
    },
  };
}

function ttlSeconds(expiresAtMs: number): number {
  return Math.ceil(expiresAtMs / 1000) + TTL_MARGIN_SECONDS;
}

export function expiry(expiresAtMs: number): Item {
  return {
    ExpiresAtMs: { N: `${expiresAtMs}` },
    [TTL_ATTRIBUTE]: { N: `${ttlSeconds(expiresAtMs)}` },
  };
}

export function recordOf(item: Item): StoredRecord {
  return {
    revision: text(item, "Revision"),
    ...stateOf(item),
    changedAtMs: changedAtMsOf(item),
  };
}

export function stateOf(item: Item): BackupRecord {
  return {
    blob: blobOf(item),
    metadata: jsonObject(item, "Metadata"),
    versions: versionsOf(item),
  };
}

/** `null` for items that an early version of the service stored. */
export function changedAtMsOf(item: Item): number | null {
  return item.ChangedAtMs === undefined ? null : number(item, "ChangedAtMs");
}

/** None where the item has no such attribute, as those of an earlier version of the service. */
export function versionsOf(item: Item): readonly StoredVersion[] {
  if (item.Versions === undefined) return [];
  const [backupId, packed] = [backupIdOf(item), text(item, "Versions")];
  return orMalformed("Versions", () => unpackVersions(backupId, packed));
}

export function blobOf(item: Item): BlobRef {
  return { key: text(item, "BlobKey"), size: number(item, "BlobSize"), sha256: text(item, "BlobSha256") };
}

export function factorOf(item: Item): FactorRef {
  const key = text(item, "PK");
  const end = key.indexOf("#");
  const scope = key.slice(0, end);
  if (!isScope(scope)) return malformed("PK");
  return { scope, key: key.slice(end + 1), stored: true };
}

function isScope(text: string): text is FactorRef["scope"] {
  return text === "MAIN" || text === "SYNC";
}

export function backupIdOf(item: Item): string {
  return text(item, "BackupId");
}

/** Whether a one-time item has not expired. DynamoDB deletes expired items late. */
export function isLive(item: Item, nowMs: number): boolean {
  return number(item, "ExpiresAtMs") > nowMs;
}

/** The sync factor token of a one-time item; `null` when the item is a nonce. */
export function tokenOf(item: Item): { backupId: string; holder: string; redeemed: boolean } | null {
  return item.BackupId === undefined
    ? null
    : { backupId: backupIdOf(item), holder: text(item, "Holder"), redeemed: item.Spent?.BOOL === true };
}

export function text(item: Item, name: string): string {
  const value: unknown = item[name]?.S; // what something else than DynamoDB responds may be of any type
  return typeof value === "string" ? value : malformed(name);
}

export function number(item: Item, name: string): number {
  const value: unknown = item[name]?.N;
  const number = typeof value === "string" && value !== "" ? Number(value) : Number.NaN;
  return Number.isFinite(number) ? number : malformed(name);
}

/** The JSON in a text. */
export function json(item: Item, name: string): unknown {
  const value = text(item, name);
  return orMalformed(name, (): unknown => JSON.parse(value));
}

export function jsonObject(item: Item, name: string): JsonObject {
  const value = json(item, name);
  return isJsonObject(value) ? value : malformed(name);
}

function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function orMalformed<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    return malformed(name, error);
  }
}

/** @throws StorageUnavailable */
export function malformed(name: string, cause?: unknown): never {
  throw new StorageUnavailable("an item of the record store cannot be read", {
    cause: new Error(`the attribute ${name} is missing or has another type`, { cause }),
  });
}
