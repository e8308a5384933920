/** Versions and deleted states, stored past the API. */
import { expect } from "bun:test";
import { randomBytes, randomUUID } from "node:crypto";
import type { Clock } from "../../src/runtime/clock.ts";
import type { BlobRef, DeletedBackup } from "../../src/storage/contract.ts";
import type { InspectableStores } from "../../src/storage/inspection.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** Stores a new content of a backup, and keeps the one before as a version; returns that one. */
export async function addVersion({ records, blobs }: InspectableStores, backupId: string): Promise<BlobRef> {
  const stored = await records.read(backupId);
  if (stored === null) throw new Error(`${backupId} is not stored`);
  const { revision, blob: old, metadata } = stored;
  const times = { createdAtMs: 1, replacedAtMs: 2 };
  const version = { versionId: randomUUID(), manifestHash: old.sha256, ...times, blob: old };
  const blob = await blobs.put(backupId, [randomBytes(300)]);
  const next = { blob, metadata, versions: [version, ...stored.versions] };
  expect(await records.commit({ backupId, expect: { revision }, next })).toBe("committed");
  return old;
}

/** Removes the versions of a backup with their ciphertexts. */
export async function pruneVersions({ records, blobs }: InspectableStores, backupId: string): Promise<void> {
  const stored = await records.read(backupId);
  if (stored === null) throw new Error(`${backupId} is not stored`);
  const { revision, blob, metadata, versions } = stored;
  const next = { blob, metadata, versions: [] };
  expect(await records.commit({ backupId, expect: { revision }, next })).toBe("committed");
  for (const { blob: pruned } of versions) await blobs.delete(pruned.key);
}

/** Deletes a backup and keeps its state for a day; its index rows are left. */
export async function setAside(
  { records, clock }: Pick<InspectableStores, "records"> & { readonly clock: Clock },
  backupId: string,
  change: Partial<DeletedBackup> = {},
): Promise<DeletedBackup> {
  const stored = await records.read(backupId);
  if (stored === null) throw new Error(`${backupId} is not stored`);
  const { revision, blob, metadata, versions } = stored;
  const deletedAtMs = clock.nowMs();
  const state: DeletedBackup = {
    deletionId: randomUUID(),
    deletedAtMs,
    keepUntilMs: deletedAtMs + DAY_MS,
    deletedBy: null,
    logId: null,
    blob,
    metadata,
    versions,
    ...change,
  };
  const deletion = { backupId, expect: { revision }, next: null, setAside: state } as const;
  expect(await records.commit(deletion)).toBe("committed");
  return state;
}
