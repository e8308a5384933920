import type { BlobRef } from "../../storage/contract.ts";
import type { LegacySource } from "../../storage/legacy.ts";
import { LegacyProblem } from "../legacy/metadata.ts";
import { ownershipOf } from "../legacy/ownership.ts";
import { asProblem, type LegacyReading, readBackup, type SourceBackup } from "../legacy/read-backup.ts";
import { type Stored, storeBackup, type TakeOverStores } from "../legacy/store-backup.ts";

/** Where backups are adopted from. */
export interface AdoptionSource extends LegacyReading {
  readonly source: Pick<LegacySource, "metadata" | "rows" | "ciphertextPieces">;
}

/** How often a backup is read that changes while it is read. */
const MAX_ATTEMPTS = 5;

/** The metadata in the source changed while the ciphertext was read. */
class ChangedMeanwhile extends Error {
  override name = "ChangedMeanwhile";
}

/**
 * Takes a backup over in one commit, with its ciphertext passed on as it is read. The source may be in use: the metadata are
 * read again after the ciphertext, and all of it once more where they have changed.
 *
 * @returns `null` where the source does not have it any more.
 * @throws LegacyProblem when it is torn or cannot be stored.
 */
export async function adoptBackup(
  from: AdoptionSource,
  stores: TakeOverStores,
  first: SourceBackup,
  client: string,
): Promise<Stored | null> {
  const { backupId } = first;
  for (let attempt = 0, backup: SourceBackup | null = first; attempt < MAX_ATTEMPTS; attempt++) {
    if (backup === null) return null;
    const { text, archiveId }: SourceBackup = backup;
    const ownership = await ownershipOf(from, backup);
    const content = await asProblem(() => from.source.ciphertextPieces(backupId, archiveId));
    if (content !== null) {
      try {
        const opened = {
          backupId,
          content,
          client,
          async beforeCommit({ size }: BlobRef) {
            if ((await readBackup(from, backupId))?.text !== text) throw new ChangedMeanwhile();
            if (size === 0) throw new LegacyProblem("the ciphertext is empty");
          },
        };
        return await asProblem(() => storeBackup(stores, opened, ownership));
      } catch (error) {
        if (!(error instanceof ChangedMeanwhile)) throw error;
      }
    }
    backup = await readBackup(from, backupId);
    if (content === null && backup?.text === text) throw new LegacyProblem("the ciphertext is missing");
  }
  throw new LegacyProblem("the backup changes all the time: the source is in use");
}
