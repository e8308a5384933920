import { encodeHex, sha256 } from "../crypto/encoding.ts";
import type { Nonce } from "../runtime/nonce.ts";
import type { FactorRef } from "../storage/contract.ts";
import type { Proven } from "./authorise.ts";
import type { Backups } from "./backups.ts";
import type { BackupsContext } from "./create-backups.ts";
import { keptDeletion } from "./deletion.ts";
import { listedFactor } from "./model.ts";
import { alreadyUsed, fail, isOnNoBackup, unauthorized } from "./outcomes.ts";

/** For how long the factor that deleted a backup may repeat the deletion, because the first response may be lost. */
const REPEATABLE_MS = 15 * 60 * 1000;

export function deleteBackup(context: BackupsContext): Backups["deleteBackup"] {
  const { records, clock, access, changes, destructions } = context;

  return async (by) => {
    try {
      await deleteOnce(by);
    } catch (error) {
      // it was on no backup, whatever another request has created since
      const isRepetition = isOnNoBackup(error) && (await hasDeleted(by.factor));
      if (!isRepetition) throw error;
      if ((await records.consume(by.nonces)) === null) throw alreadyUsed();
    }
  };

  async function deleteOnce(by: Proven): Promise<void> {
    const backup = await access.authorise(by);
    const mark = [deletionMark(by.factor)];
    await changes.changeBy(by, backup, (current) => {
      destructions.admitDestruction(backup.backupId); // at each attempt: others may have used the limit up
      const { id } = listedFactor(current.metadata, by.factor) ?? fail(unauthorized());
      return { ...keptDeletion(context, current, id), mark, events: [{ kind: "DELETED" }] };
    });
    destructions.countDestruction(backup.backupId);
  }

  /** Whether the factor has deleted a backup lately. */
  function hasDeleted(factor: FactorRef): Promise<boolean> {
    return records.isConsumed([deletionMark(factor)]);
  }

  /** Marks a deletion in the store, so that a retry by the same factor succeeds. */
  function deletionMark(factor: FactorRef): Nonce {
    return {
      id: `backup-deleted-by|${encodeHex(sha256(`${factor.scope}|${factor.key}`))}`,
      expiresAtMs: clock.nowMs() + REPEATABLE_MS,
    };
  }
}
