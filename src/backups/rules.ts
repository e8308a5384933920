/** The rules for changes of the metadata: pure functions that keep unknown members. */
import { ServiceError } from "../errors.ts";
import type { EncryptionKey } from "../protocol/encryption-key.ts";
import type { Scope } from "../protocol/factor.ts";
import type { FactorRef } from "../storage/contract.ts";
import { type BackupMetadata, factorRef, lists, type MainFactor, type SyncFactor } from "./model.ts";
import { encryptionKeyOf } from "./view.ts";

export interface FactorLimits {
  readonly maxMainFactors: number;
  readonly maxSyncFactors: number;
}

/**
 * The most that metadata may take as JSON in UTF-8 after a factor was added. DynamoDB takes 400 KiB for a record with all
 * that belongs to it, such as a hundred versions. All factors and keys at their largest stay far below; what earlier
 * releases stored may not.
 */
export const MAX_METADATA_BYTES = 380 * 1024;

/** The key that each kind of main factor needs in order to decrypt anything after a recovery. */
const KEY_FOR_FACTOR: Readonly<Record<MainFactor["kind"]["kind"], EncryptionKey["kind"]>> = {
  PASSKEY: "PRF",
  EC_KEYPAIR: "ICLOUD",
  OIDC_ACCOUNT: "TURNKEY",
};

/**
 * Checks that a manifest hash is current.
 *
 * @throws ServiceError `manifest_hash_mismatch`.
 */
export function requireManifestHash(metadata: BackupMetadata, manifestHash: string): void {
  if (metadata.manifestHash !== manifestHash)
    throw new ServiceError(
      "manifest_hash_mismatch",
      "The backup has changed since: another manifest hash is current",
    );
}

/**
 * Checks that a sync factor is on the backup in neither scope.
 *
 * @throws ServiceError `factor_already_exists`.
 */
export function requireNewSyncFactor(metadata: BackupMetadata, factor: SyncFactor): void {
  const { key } = factorRef("SYNC", factor);
  if (lists(metadata, { scope: "SYNC", key }) || lists(metadata, { scope: "MAIN", key }))
    throw new ServiceError("factor_already_exists", "The factor is on the backup already");
}

/**
 * Adds a sync factor.
 *
 * @throws ServiceError as {@link requireNewSyncFactor}; `too_many_factors`, also when the record would become too large
 *   for a store.
 */
export function withSyncFactor(
  metadata: BackupMetadata,
  factor: SyncFactor,
  limits: FactorLimits,
): BackupMetadata {
  requireNewSyncFactor(metadata, factor);
  if (metadata.syncFactors.length >= limits.maxSyncFactors)
    throw new ServiceError("too_many_factors", `A backup has at most ${limits.maxSyncFactors} sync factors`);
  return requireRoom({ ...metadata, syncFactors: [...metadata.syncFactors, factor] });
}

/**
 * Adds a main factor, and the encryption key that it needs. A factor that the backup lists already stays as it is, and so
 * does the identical key: a client that lost the response repeats the call.
 *
 * @throws ServiceError `only_one_encryption_key_per_type_allowed`; `too_many_factors`, also when the record would become
 *   too large for a store.
 */
export function withMainFactor(
  metadata: BackupMetadata,
  factor: MainFactor,
  encryptionKey: EncryptionKey | null,
  limits: FactorLimits,
): BackupMetadata {
  const keys = encryptionKey === null ? metadata.keys : withKey(metadata.keys, encryptionKey);
  if (lists(metadata, factorRef("MAIN", factor)))
    return keys === metadata.keys ? metadata : requireRoom({ ...metadata, keys });
  if (metadata.factors.length >= limits.maxMainFactors)
    throw new ServiceError("too_many_factors", `A backup has at most ${limits.maxMainFactors} main factors`);
  return requireRoom({ ...metadata, factors: [...metadata.factors, factor], keys });
}

function withKey(keys: EncryptionKey[], key: EncryptionKey): EncryptionKey[] {
  const ofKind = keys.filter(({ kind }) => kind === key.kind);
  if (ofKind.length === 0) return [...keys, encryptionKeyOf(key)];
  if (ofKind.some((stored) => isSameKey(stored, key))) return keys;
  throw new ServiceError(
    "only_one_encryption_key_per_type_allowed",
    `The backup has another ${key.kind} key already`,
  );
}

function isSameKey(one: EncryptionKey, other: EncryptionKey): boolean {
  return JSON.stringify(encryptionKeyOf(one)) === JSON.stringify(encryptionKeyOf(other));
}

/** Refuses on every driver what one of them could not store. */
function requireRoom(metadata: BackupMetadata): BackupMetadata {
  if (Buffer.byteLength(JSON.stringify(metadata)) > MAX_METADATA_BYTES)
    throw new ServiceError("too_many_factors", "The record of the backup has no room for a further factor");
  return metadata;
}

export interface FactorRemoval {
  readonly factorId: string;
  readonly scope: Scope;
  /** The encryption key to remove with a main factor. */
  readonly encryptionKey?: EncryptionKey;
}

/**
 * Removes a factor and returns the metadata afterwards, or `null` when it was the last main factor: without one, the
 * backup cannot be recovered.
 *
 * @param nowMs is stored as the time of the last removal of a main factor.
 * @throws ServiceError `factor_not_found`; `encryption_key_not_found` when no stored key is equal to it;
 *   `factor_orphaned_from_encryption_key` when a remaining main factor needs that kind of key.
 */
export function withoutFactor(
  metadata: BackupMetadata,
  { factorId, scope, encryptionKey }: FactorRemoval,
  nowMs: number,
): { readonly next: BackupMetadata | null; readonly removed: FactorRef } {
  const listed = scope === "MAIN" ? metadata.factors : metadata.syncFactors;
  const factor = listed.find(({ id }) => id === factorId);
  if (factor === undefined)
    throw new ServiceError("factor_not_found", `The backup has no such ${scope.toLowerCase()} factor`);
  const removed = factorRef(scope, factor);

  if (scope === "SYNC") {
    const syncFactors = metadata.syncFactors.filter(({ id }) => id !== factorId);
    return { next: { ...metadata, syncFactors }, removed };
  }
  const factors = metadata.factors.filter(({ id }) => id !== factorId);
  if (factors.length === 0) return { next: null, removed };
  const keys =
    encryptionKey === undefined ? metadata.keys : withoutKey(metadata.keys, encryptionKey, factors);
  return { next: { ...metadata, factors, keys, mainFactorRemovedAtMs: nowMs }, removed };
}

/** The largest expected difference between the clocks of the processes. */
const MAX_CLOCK_DIFFERENCE_MS = 15 * 60 * 1000;

/**
 * Checks that the client meant to delete the backup with its last main factor: that no other main factor was removed at
 * the same time. A device whose challenge is older than that removal did not know of it, not even when it retries. A time
 * far in the future is from a wrong clock and ignored: it would block the removal until then.
 *
 * @param seen the metadata when the request first read it.
 * @throws ServiceError `conflicting_lock`.
 */
export function requireMeantAsLast(
  seen: BackupMetadata,
  { mainFactorRemovedAtMs }: BackupMetadata,
  { challengedAtMs, nowMs }: { readonly challengedAtMs: number; readonly nowMs: number },
): void {
  const removedSince =
    mainFactorRemovedAtMs !== undefined &&
    mainFactorRemovedAtMs > challengedAtMs &&
    mainFactorRemovedAtMs - nowMs <= MAX_CLOCK_DIFFERENCE_MS;
  if (seen.factors.length > 1 || removedSince)
    throw new ServiceError(
      "conflicting_lock",
      "Another main factor was removed at the same time: removing this one would now delete the backup",
    );
}

function withoutKey(
  keys: readonly EncryptionKey[],
  key: EncryptionKey,
  remaining: readonly MainFactor[],
): EncryptionKey[] {
  const kept = keys.filter((candidate) => !isSameKey(candidate, key));
  if (kept.length === keys.length)
    throw new ServiceError("encryption_key_not_found", "The backup has no such encryption key");
  const orphan = remaining.find(({ kind }) => KEY_FOR_FACTOR[kind.kind] === key.kind);
  if (orphan !== undefined && !kept.some(({ kind }) => kind === key.kind))
    throw new ServiceError(
      "factor_orphaned_from_encryption_key",
      `A remaining ${orphan.kind.kind} factor needs the ${key.kind} key`,
    );
  return kept;
}
