/**
 * Which factors lead to a backup of the source. Its metadata say which it has. Where another backup has the same one, the
 * table of the source says to which of them it leads.
 */
import { isBackupId } from "../../protocol/backup.ts";
import type { FactorRef } from "../../storage/contract.ts";
import { type LegacyRow, legacyRowKey } from "../../storage/legacy.ts";
import { allFactorRefs, type BackupMetadata, factorRef, lists } from "../model.ts";
import { LegacyProblem } from "./metadata.ts";
import { type LegacyReading, readBackup, type SourceBackup } from "./read-backup.ts";

export interface Ownership {
  /** The factors that the table leads to this backup. */
  readonly owned: readonly FactorRef[];
  /** Those for which the table has no row, or a stale one. */
  readonly open: readonly FactorRef[];
  /** Those that the table leads to another backup that lists them too, or that cannot be read. */
  readonly taken: readonly FactorRef[];
  /** The metadata with when each factor was last used, which only the table knows. */
  readonly metadata: BackupMetadata;
}

export async function ownershipOf(
  reading: LegacyReading,
  { backupId, metadata }: SourceBackup,
): Promise<Ownership> {
  const refs = [...new Map(allFactorRefs(metadata).map((ref) => [legacyRowKey(ref), ref])).values()];
  const rows = await reading.source.rows(refs);
  const owned: FactorRef[] = [];
  const open: FactorRef[] = [];
  const taken: FactorRef[] = [];
  for (const ref of refs) {
    const owner = rows.get(legacyRowKey(ref))?.backupId;
    if (owner === backupId) owned.push(ref);
    else if (owner === undefined || !(await mayList(reading, owner, ref))) open.push(ref);
    else taken.push(ref);
  }
  return { owned, open, taken, metadata: withLastUse(backupId, metadata, rows) };
}

/** Also where that cannot be found out: then nobody else gets the factor. What has no id of a backup lists none. */
async function mayList(reading: LegacyReading, backupId: string, factor: FactorRef): Promise<boolean> {
  if (!isBackupId(backupId)) return false;
  try {
    const other = await readBackup(reading, backupId);
    return other !== null && lists(other.metadata, factor);
  } catch (error) {
    if (error instanceof LegacyProblem) return true;
    throw error;
  }
}

function withLastUse(
  backupId: string,
  metadata: BackupMetadata,
  rows: ReadonlyMap<string, LegacyRow>,
): BackupMetadata {
  const syncFactors = metadata.syncFactors.map((factor) => {
    const row = rows.get(legacyRowKey(factorRef("SYNC", factor)));
    return row?.backupId === backupId && row.lastUsedAt !== null
      ? { ...factor, lastUsedAt: row.lastUsedAt }
      : factor;
  });
  return { ...metadata, syncFactors };
}
