/** Takes a backup of the other service over: blob, record, index rows and the mark of its id, in one commit. */
import { isDeepStrictEqual } from "node:util";
import { type ErrorCode, ServiceError } from "../../errors.ts";
import type { Clock, Random } from "../../runtime/clock.ts";
import {
  type BlobRef,
  type BlobStore,
  type Change,
  ChangeRefused,
  type Content,
  type FactorRef,
  type JsonObject,
  type RecordStore,
  type StoredRecord,
} from "../../storage/contract.ts";
import { legacyRowKey } from "../../storage/legacy.ts";
import { allFactorRefs, type BackupMetadata, isSameBackup, storedMetadata } from "../model.ts";
import { withNewBlob } from "../new-content.ts";
import { importMark, UNCHANGED_HERE_MS } from "./import-mark.ts";
import { LegacyProblem } from "./metadata.ts";
import type { Ownership } from "./ownership.ts";
import { readable, type SourceBackup } from "./read-backup.ts";

/** The most index rows in a commit: a transaction of DynamoDB has at most 100 items. Further rows are added afterwards. */
export const MAX_CLAIMS = 90;

/** Why a backup is not taken over whose id was taken here before. */
export const ID_TAKEN = "another backup was created here under this id";

/** Where backups are taken over to. */
export interface TakeOverStores {
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly random: Random;
}

type RecordsOnly = Pick<TakeOverStores, "records">;

/** A backup whose ciphertext was opened. */
export interface OpenedBackup {
  readonly backupId: string;
  readonly content: Content;
  /** The address of the client that needs it; empty where none does. */
  readonly client: string;
  /** Called when the content is stored and nothing refers to it yet. What it throws prevents that. */
  readonly beforeCommit?: (blob: BlobRef) => Promise<void>;
}

export interface Stored {
  readonly outcome: "imported" | "alreadyThere";
  /** The factors that led to another backup here, which may be about to lose them: rows are added afterwards. */
  readonly lost: readonly FactorRef[];
}

/**
 * What an earlier import has left. `none`: nothing. `settled`: what stays as it is. A record: it has changed in the source
 * and not here since, so it may be replaced.
 *
 * @throws LegacyProblem when another backup is here under its id, or can be brought back.
 */
export async function earlierImport(
  { records }: RecordsOnly,
  { backupId }: SourceBackup,
  { metadata }: Ownership,
): Promise<"none" | "settled" | StoredRecord> {
  const [stored, isMarked] = await Promise.all([
    records.read(backupId),
    records.isConsumed([importMark(backupId)]),
  ]);
  if (stored === null && isMarked) return "settled";
  if (stored === null) {
    const keptUntil = await keptUntilOf(records, backupId);
    if (keptUntil === null) return "none";
    throw new LegacyProblem(
      `a backup of this id was deleted here, and can be brought back until ${keptUntil}`,
    );
  }
  if (isMarked)
    return isUntouched(stored) && differingMembers(stored.metadata, metadata).length > 0 ? stored : "settled";
  if (isSameBackup(readable(stored.metadata), metadata)) return "settled";
  throw new LegacyProblem(ID_TAKEN);
}

/** Until when a backup that was deleted here can be brought back, which another one under its id would prevent. */
export async function keptUntilOf(
  records: Pick<RecordStore, "readDeleted">,
  backupId: string,
): Promise<string | null> {
  const [latest] = await records.readDeleted(backupId);
  return latest === undefined ? null : new Date(latest.keepUntilMs).toISOString();
}

/** The members of stored metadata that are not as in the source. The log of a backup is one of this service. */
export function differingMembers(stored: JsonObject, source: BackupMetadata): string[] {
  const there = storedMetadata(source);
  const names = new Set([...Object.keys(stored), ...Object.keys(there)]);
  names.delete("logId");
  return [...names].filter((name) => !isDeepStrictEqual(stored[name], there[name]));
}

/** Whether the service has not changed a record since it was taken over. */
export function isUntouched({ changedAtMs }: Pick<StoredRecord, "changedAtMs">): boolean {
  return changedAtMs === UNCHANGED_HERE_MS;
}

/**
 * Stores a backup with the index rows that lead to it, in one commit, unless it was taken over meanwhile. It gets a log, so
 * that its first event, which may be that of a recovery, changes no record.
 *
 * @throws LegacyProblem when it cannot be stored.
 */
export function storeBackup(
  stores: TakeOverStores,
  backup: OpenedBackup,
  { owned, metadata }: Ownership,
): Promise<Stored> {
  const { backupId } = backup;
  return store(stores, backup, owned, (blob) => ({
    backupId,
    expect: "absent",
    next: {
      blob,
      metadata: storedMetadata({ ...metadata, logId: stores.random.uuid() }),
      versions: [],
      changedAtMs: UNCHANGED_HERE_MS,
    },
    consume: [importMark(backupId)],
  }));
}

/**
 * Replaces a record that was taken over, with its content and index rows, unless it has changed here meanwhile.
 *
 * @throws as {@link storeBackup}.
 */
export async function refreshBackup(
  stores: TakeOverStores,
  backup: OpenedBackup,
  { owned, metadata }: Ownership,
  before: StoredRecord,
): Promise<Stored> {
  const { backupId } = backup;
  const listed = new Set(allFactorRefs(metadata).map(legacyRowKey));
  const earlier = readable(before.metadata);
  const { logId = stores.random.uuid() } = earlier;
  const release = allFactorRefs(earlier).filter((ref) => !listed.has(legacyRowKey(ref)));
  const leadElsewhere = await leadingElsewhere(stores, backupId, owned);
  const added = await freeFactors(stores, leadElsewhere);
  const stored = await store(stores, backup, added, (blob) => ({
    backupId,
    expect: before,
    next: {
      blob,
      metadata: storedMetadata({ ...metadata, logId }),
      versions: before.versions,
      changedAtMs: UNCHANGED_HERE_MS,
    },
    release,
  }));
  if (stored.outcome === "imported") await stores.blobs.delete(before.blob.key);
  const lost = [...stored.lost, ...leadElsewhere.filter((factor) => !added.includes(factor))];
  return { ...stored, lost };
}

async function store(
  stores: TakeOverStores,
  { backupId, content, client, beforeCommit }: OpenedBackup,
  claims: readonly FactorRef[],
  changeTo: (blob: BlobRef) => Omit<Change, "claim" | "newBlobSince">,
): Promise<Stored> {
  const discard = (blob: BlobRef) => stores.blobs.delete(blob.key);
  const lost: FactorRef[] = [];
  try {
    const context = { ...stores, changes: { discard } };
    await withNewBlob(context, backupId, { content, client }, async (blob, commit) => {
      await beforeCommit?.(blob);
      for (let claim = claims.slice(0, MAX_CLAIMS); ; ) {
        const outcome = await commit({ ...changeTo(blob), claim });
        if (outcome !== "factor-claimed") return outcome;
        const free = await freeFactors(stores, claim);
        lost.push(...claim.filter((factor) => !free.includes(factor)));
        claim = free;
      }
    });
    return { outcome: "imported", lost };
  } catch (error) {
    // another process, import or client was faster
    if (error instanceof ServiceError && OVERTAKEN.has(error.code)) return { outcome: "alreadyThere", lost };
    if (!(error instanceof ChangeRefused)) throw error;
    throw new LegacyProblem("the record store does not take the record: it is too large");
  }
}

const OVERTAKEN: ReadonlySet<ErrorCode> = new Set([
  "already_used",
  "backup_account_id_already_exists",
  "conflicting_lock",
]);

async function freeFactors(stores: RecordsOnly, factors: readonly FactorRef[]): Promise<FactorRef[]> {
  const owners = await ownersOf(stores, factors);
  return factors.filter((_, index) => owners[index] === null);
}

/** The factors that do not lead to the backup here. */
export async function leadingElsewhere(
  stores: RecordsOnly,
  backupId: string,
  factors: readonly FactorRef[],
): Promise<FactorRef[]> {
  const owners = await ownersOf(stores, factors);
  return factors.filter((_, index) => owners[index] !== backupId);
}

/** The backup here that each factor leads to; `null` for none. */
export async function ownersOf({ records }: RecordsOnly, factors: readonly FactorRef[]) {
  const found = await Promise.all(factors.map((factor) => records.locate(factor, [])));
  return found.map(({ backupId }) => backupId);
}
