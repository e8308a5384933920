import { LegacyProblem } from "../../backups/legacy/metadata.ts";
import { asProblem, readBackup, type SourceBackup } from "../../backups/legacy/read-backup.ts";
import { isBackupId } from "../../protocol/backup.ts";
import type { LegacyPlace } from "../../storage/legacy.ts";
import type { ImportRun } from "./run.ts";

/** How often a backup is read that changes while it is read. */
const MAX_ATTEMPTS = 5;

/** As {@link readBackup}, by what the list of the source says. */
export async function readPlace(run: ImportRun, place: LegacyPlace): Promise<SourceBackup | null> {
  if (place.hasMetadata) return readBackup(run, place.backupId);
  if (!isBackupId(place.backupId)) return null; // something else that is kept in the bucket
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
