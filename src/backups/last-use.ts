/**
 * When a sync factor was used last, so that a user knows which device to remove. A commit that a factor authorises keeps
 * the time with the rest. An operation that commits nothing else has it written after its response.
 */
import type { FactorRef } from "../storage/contract.ts";
import type { StoredBackup } from "./authorise.ts";
import type { BackupsOptions } from "./create-backups.ts";
import { type BackupMetadata, factorRef, storedMetadata } from "./model.ts";

/** A time counts for a day: a device that syncs all day causes one write of it. */
const KEPT_S = 24 * 60 * 60;

/** The metadata with the time of this use, where the factor is a sync factor whose time is due; else as it is. */
export function withLastUse(metadata: BackupMetadata, used: FactorRef, nowMs: number): BackupMetadata {
  if (used.scope !== "SYNC") return metadata;
  const nowS = Math.floor(nowMs / 1000);
  const factor = metadata.syncFactors.find((listed) => factorRef("SYNC", listed).key === used.key);
  if (factor === undefined || !isDue(factor.lastUsedAt, nowS)) return metadata;
  const syncFactors = metadata.syncFactors.map((listed) =>
    listed === factor ? { ...listed, lastUsedAt: nowS } : listed,
  );
  return { ...metadata, syncFactors };
}

/** A time far in the future is due too: a clock was wrong. */
function isDue(lastUsedAt: number | undefined, nowS: number): boolean {
  return lastUsedAt === undefined || Math.abs(nowS - lastUsedAt) >= KEPT_S;
}

/**
 * Writes the time of this use in the background, where it is due. It gives way to any other commit: the next use writes
 * it then.
 */
export function noteLastUse(
  { records, clock, background }: Pick<BackupsOptions, "records" | "clock" | "background">,
  { backupId, revision, blob, metadata, versions }: StoredBackup,
  used: FactorRef,
): void {
  const next = withLastUse(metadata, used, clock.nowMs());
  if (next === metadata) return;
  void background.run("note last use of a sync factor", () =>
    records.commit({
      backupId,
      expect: { revision },
      next: { blob, metadata: storedMetadata(next), versions },
    }),
  );
}
