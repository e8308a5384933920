import { isBackupId } from "../../protocol/backup.ts";
import type { JsonObject } from "../../storage/contract.ts";
import { type LegacySource, LegacyUnusable } from "../../storage/legacy.ts";
import { type BackupMetadata, readMetadata, storedMetadata } from "../model.ts";
import { fromLegacy, type Issuers } from "./from-legacy.ts";
import { LegacyProblem, readLegacyMetadata } from "./metadata.ts";

/** Where backups are taken over from. */
export interface LegacyReading {
  readonly source: Pick<LegacySource, "metadata" | "rows">;
  readonly issuers: Issuers;
}

/** A backup of the source in the form of this service. */
export interface SourceBackup {
  readonly backupId: string;
  readonly metadata: BackupMetadata;
  /** The metadata that it was made of. */
  readonly text: string;
  readonly archiveId: string | null;
}

/**
 * Reads the metadata of a backup of the source; `null` when there is none of that id any more.
 *
 * @throws LegacyProblem when it cannot be taken over.
 */
export async function readBackup(
  { source, issuers }: LegacyReading,
  backupId: string,
): Promise<SourceBackup | null> {
  if (!isBackupId(backupId)) throw new LegacyProblem("the id has none of the known forms");
  const text = await asProblem(() => source.metadata(backupId));
  if (text === null) return null;
  const legacy = readLegacyMetadata(backupId, text);
  const metadata = readable(storedMetadata(fromLegacy(legacy, issuers)));
  return { backupId, metadata, text, archiveId: legacy.archiveId ?? null };
}

/** Metadata as every request reads them. @throws LegacyProblem when no request could. */
export function readable(stored: JsonObject): BackupMetadata {
  try {
    return readMetadata(stored);
  } catch (error) {
    throw new LegacyProblem(error instanceof Error ? error.message : String(error));
  }
}

/** @throws LegacyProblem for an object that cannot be used. */
export async function asProblem<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof LegacyUnusable) throw new LegacyProblem(error.message);
    throw error;
  }
}
