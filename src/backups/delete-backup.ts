import { encodeHex, sha256 } from "../crypto/encoding.ts";
import type { Nonce } from "../runtime/nonce.ts";
import { blobsOf, type FactorRef } from "../storage/contract.ts";
import type { Proven } from "./authorise.ts";
import type { Backups, BackupsContext } from "./backups.ts";
import { deletion } from "./change.ts";
import { alreadyUsed, isOnNoBackup } from "./outcomes.ts";

/** For how long the factor that deleted a backup may repeat the deletion, because the first response may be lost. */
const REPEATABLE_MS = 15 * 60 * 1000;

export function deleteBackup(context: BackupsContext): Backups["deleteBackup"] {
  const { records, clock, access, changes, destructions } = context;

  return async (by) => {
    try {
      await deleteOnce(by);
    } catch (error) {
      const isRepetition = isOnNoBackup(error) && (await hasDeleted(by.factor));
      if (!isRepetition) throw error;
      if ((await records.consume(by.nonces)) === null) throw alreadyUsed();
    }
  };

  async function deleteOnce(by: Proven): Promise<void> {
    const backup = await access.authorise(by);
    destructions.admitDestruction(backup.backupId);
    const mark = [deletionMark(by.factor)];
    const { before } = await changes.changeBy(by, backup, (current) => ({ ...deletion(current), mark }));
    await changes.discard(...blobsOf(before));
    destructions.countDestruction(backup.backupId);
  }

  /** Whether the factor has deleted a backup lately and is on none now. */
  async function hasDeleted(factor: FactorRef): Promise<boolean> {
    const { backupId, consumed } = await records.locate(factor, [deletionMark(factor)]);
    return backupId === null && consumed;
  }

  /** Marks a deletion in the store, so that a retry by the same factor succeeds. */
  function deletionMark(factor: FactorRef): Nonce {
    return {
      id: `backup-deleted-by|${encodeHex(sha256(`${factor.scope}|${factor.key}`))}`,
      expiresAtMs: clock.nowMs() + REPEATABLE_MS,
    };
  }
}
