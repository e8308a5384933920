/** Which earlier contents a backup keeps as versions. Pure. */
import { ServiceError } from "../errors.ts";
import { type BackupRecord, type BlobRef, blobsOf, type StoredVersion } from "../storage/contract.ts";
import type { StoredBackup } from "./authorise.ts";

export interface VersionPolicy {
  /** How many of the newest versions are kept. */
  readonly keepLast: number;
  /** For how many days with changes, the current content's own day excepted, the last content of the day is kept. */
  readonly keepDays: number;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * The versions of a backup after its content was replaced, and those that it keeps no longer.
 *
 * The newest `keepLast` stay. For each of the newest `keepDays` days (UTC) on which content was stored, its last content
 * stays. A day counts only if something was stored on it, so a backup that changes once a month keeps months, and any
 * number of updates on one day displaces no content of another. The last content of the current content's day is the
 * current content.
 *
 * The order of the days is that of the replacements, not of the times: a clock that goes back displaces nothing out of
 * order. Within a day the times decide: a restore puts an earlier content of a day behind the last one.
 *
 * @param versions newest first, the content that was just replaced included.
 * @param currentAtMs when the current content was stored.
 */
export function prunedVersions(
  versions: readonly StoredVersion[],
  currentAtMs: number,
  { keepLast, keepDays }: VersionPolicy,
): { readonly kept: readonly StoredVersion[]; readonly pruned: readonly StoredVersion[] } {
  const lastOfDays = new Map<number, Pick<StoredVersion, "createdAtMs">>();
  const current = { createdAtMs: currentAtMs };
  for (const content of [current, ...versions]) {
    const day = dayOf(content.createdAtMs);
    const known = lastOfDays.get(day);
    if (known === undefined || known.createdAtMs < content.createdAtMs) lastOfDays.set(day, content);
  }
  const earlier = [...lastOfDays.values()].filter((last) => last !== current);
  const kept = new Set([...versions.slice(0, keepLast), ...earlier.slice(0, keepDays)]);
  return {
    kept: versions.filter((version) => kept.has(version)),
    pruned: versions.filter((version) => !kept.has(version)),
  };
}

/** A blob and the versions beside it: all ciphertexts of a backup. */
export type Contents = Pick<BackupRecord, "blob" | "versions">;

/**
 * The contents of a backup after `blob`, which was stored at `storedAtMs`, took the place of its content.
 *
 * @param versionId of the version that the content becomes.
 */
export function withContent(
  current: StoredBackup,
  { blob, storedAtMs }: { readonly blob: BlobRef; readonly storedAtMs: number },
  policy: VersionPolicy,
  { versionId, nowMs }: { readonly versionId: string; readonly nowMs: number },
): Contents {
  const replaced: StoredVersion = {
    versionId,
    manifestHash: current.metadata.manifestHash,
    createdAtMs: contentAtMs(current),
    replacedAtMs: nowMs,
    blob: current.blob,
  };
  const earlier = current.versions.filter((version) => version.blob.key !== blob.key);
  return { blob, versions: prunedVersions([replaced, ...earlier], storedAtMs, policy).kept };
}

/** The version of that id. @throws ServiceError `version_not_found`. */
export function requireVersion({ versions }: Pick<Contents, "versions">, versionId: string): StoredVersion {
  const found = versions.find((version) => version.versionId === versionId);
  if (found === undefined) throw new ServiceError("version_not_found", "The backup has no such version");
  return found;
}

/** The blobs that a backup refers to no longer. */
export function droppedBlobs(before: Contents, after: Contents): readonly BlobRef[] {
  const kept = new Set(blobsOf(after).map(({ key }) => key));
  return blobsOf(before).filter(({ key }) => !kept.has(key));
}

/**
 * When the content was stored. Earlier releases did not keep that time: of their content, when the backup changed last or
 * was created.
 */
function contentAtMs({ metadata, changedAtMs }: StoredBackup): number {
  if (metadata.contentAtMs !== undefined) return metadata.contentAtMs;
  return changedAtMs || (metadata.factors[0]?.createdAt ?? 0) * 1000;
}

function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS);
}
