/** A new sync factor may take the place of another: so a device joins a backup that has as many as it may have. */
import { ServiceError } from "../errors.ts";
import type { BackupMetadata, SyncFactor } from "./model.ts";
import { requireNewSyncFactor } from "./rules.ts";

/**
 * The sync factor that a new one is to replace; `null` where the id names none. Of several requests that replace one
 * factor at once, one succeeds: the others must not become additions, which their devices did not ask for.
 *
 * @param seen the metadata when the request first read it.
 * @param challengedAtMs when the device asked for its challenge. A device that did so before the factor was replaced
 *   did not know of that, also when it repeats the request.
 * @throws ServiceError `conflicting_lock`.
 */
export function syncFactorToReplace(
  seen: BackupMetadata,
  current: BackupMetadata,
  { id, challengedAtMs }: { readonly id: string | null; readonly challengedAtMs: number },
): SyncFactor | null {
  const named = ({ syncFactors }: BackupMetadata) => syncFactors.find((factor) => factor.id === id);
  const found = named(current);
  if (found !== undefined) return found;
  const isReplacedSince = current.syncFactors.some(
    ({ replaced }) => replaced?.id === id && replaced.atMs >= challengedAtMs,
  );
  if (isReplacedSince || named(seen) !== undefined)
    throw new ServiceError("conflicting_lock", "The sync factor to replace was removed at the same time");
  return null;
}

/**
 * Puts a sync factor in the place of another, whatever the limit: there are no more of them than before.
 *
 * @throws ServiceError as {@link requireNewSyncFactor}.
 */
export function withReplacement(
  metadata: BackupMetadata,
  factor: SyncFactor,
  replaced: SyncFactor,
  nowMs: number,
): BackupMetadata {
  requireNewSyncFactor(metadata, factor);
  const others = metadata.syncFactors.filter(({ id }) => id !== replaced.id);
  return { ...metadata, syncFactors: [...others, { ...factor, replaced: { id: replaced.id, atMs: nowMs } }] };
}
