import { fromLegacy } from "../../backups/legacy/from-legacy.ts";
import { isLegacyBackupId, LegacyProblem, readLegacyMetadata } from "../../backups/legacy/metadata.ts";
import { type BackupMetadata, readMetadata, storedMetadata } from "../../backups/model.ts";
import type { JsonObject } from "../../storage/contract.ts";
import { type LegacyPlace, LegacyUnusable } from "../../storage/legacy.ts";
import type { ImportRun } from "./run.ts";

/** A backup of the source in the form of this service. */
export interface SourceBackup {
  readonly backupId: string;
  readonly metadata: BackupMetadata;
  /** The metadata that it was made of. */
  readonly text: string;
  readonly archiveId: string | null;
}

/** How often a backup is read that changes while it is read. */
const MAX_ATTEMPTS = 5;

/**
 * Reads the metadata of a backup of the source; `null` when there is none of that id any more.
 *
 * @throws LegacyProblem when it cannot be taken over.
 */
export async function readBackup(
  { source, issuers }: Pick<ImportRun, "source" | "issuers">,
  backupId: string,
): Promise<SourceBackup | null> {
  if (!isLegacyBackupId(backupId)) throw new LegacyProblem("the id has none of the known forms");
  const text = await asProblem(() => source.metadata(backupId));
  if (text === null) return null;
  const legacy = readLegacyMetadata(backupId, text);
  const metadata = readable(storedMetadata(fromLegacy(legacy, issuers)));
  return { backupId, metadata, text, archiveId: legacy.archiveId ?? null };
}

/** As {@link readBackup}, by what the list of the source says. */
export async function readPlace(run: ImportRun, place: LegacyPlace): Promise<SourceBackup | null> {
  if (place.hasMetadata) return readBackup(run, place.backupId);
  if (!isLegacyBackupId(place.backupId)) return null; // something else that is kept in the bucket
  throw new LegacyProblem("there is a ciphertext and no metadata");
}

/**
 * Reads the ciphertext, with the metadata that go with it: the source may be in use.
 *
 * @throws LegacyProblem when it is missing; as {@link readBackup}.
 */
export async function withCiphertext(
  run: ImportRun,
  first: SourceBackup,
): Promise<(SourceBackup & { readonly content: Uint8Array }) | null> {
  let backup: SourceBackup | null = first;
  for (let attempt = 0; attempt < MAX_ATTEMPTS && backup !== null; attempt++) {
    const { backupId, archiveId }: SourceBackup = backup;
    const content = await asProblem(() => run.source.ciphertext(backupId, archiveId));
    const after: SourceBackup | null = await readBackup(run, backupId);
    if (after?.text === backup.text) {
      if (content === null || content.length === 0)
        throw new LegacyProblem(`the ciphertext is ${content === null ? "missing" : "empty"}`);
      run.counts.bytes += content.length;
      return { ...backup, content };
    }
    backup = after;
  }
  if (backup === null) return null;
  throw new LegacyProblem("the backup changes all the time: the source is in use");
}

/** Metadata as every request reads them. @throws LegacyProblem when no request could. */
export function readable(stored: JsonObject): BackupMetadata {
  try {
    return readMetadata(stored);
  } catch (error) {
    throw new LegacyProblem(error instanceof Error ? error.message : String(error));
  }
}

async function asProblem<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof LegacyUnusable) throw new LegacyProblem(error.message);
    throw error;
  }
}
