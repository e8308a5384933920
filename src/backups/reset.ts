import type { Nonce } from "../runtime/nonce.ts";
import { type DeletedBackup, MAX_FORGOTTEN } from "../storage/contract.ts";
import type { Backups } from "./backups.ts";
import type { BackupsContext } from "./create-backups.ts";
import { deletedStates } from "./deleted-states.ts";
import { finalDeletion, leftoversOf } from "./deletion.ts";
import type { BackupEvent } from "./events.ts";
import { storedMetadata } from "./model.ts";
import { alreadyUsed, errorOf, fail, notFound } from "./outcomes.ts";

const RESET: readonly BackupEvent[] = [{ kind: "RESET" }];

/** Deletes the backup of an id and all its deleted states, also where only those are left. */
export function reset({ records, access, eventFactory, changes, clock }: BackupsContext): Backups["reset"] {
  return async (backupId, nonces) => {
    const backup = await access.read(backupId);
    let forget = await forgettable(backupId, nonces); // read after the backup: one that is deleted now is a conflict
    if (backup !== null) {
      const load = async () => {
        const again = (await access.read(backupId)) ?? fail(errorOf("revision"));
        forget = await forgettable(backupId, nonces); // it may have been deleted and brought back, and another one deleted
        return again;
      };
      await changes.change(nonces, backup, load, (current) => ({
        ...finalDeletion([current, ...forget], clock.nowMs()),
        forget,
        events: RESET,
      }));
      return;
    }
    if (forget.length === 0) {
      // an undelete may have come between the two reads: nothing is kept since, and the backup is there
      throw (await access.read(backupId)) === null ? notFound() : errorOf("revision");
    }
    const collect = leftoversOf(forget, clock.nowMs());
    const outcome = await records.commit({
      backupId,
      expect: "absent",
      next: null,
      forget,
      collect,
      consume: nonces,
      events: eventFactory.create({ backupId, logId: null, actor: null }, RESET),
    });
    if (outcome !== "committed") throw errorOf(outcome === "exists" ? "revision" : outcome);
    void changes.discard(...collect.blobs);
  };

  /** The deleted states that one commit can name. Where there are more, the others are forgotten before, as they are read. */
  async function forgettable(backupId: string, nonces: readonly Nonce[]): Promise<readonly DeletedBackup[]> {
    let states: DeletedBackup[] = [];
    for await (const state of deletedStates(records, backupId)) {
      if (states.length === MAX_FORGOTTEN) {
        // a replay changes nothing, but only a commit that consumes the nonces would notice it
        if (await records.isConsumed(nonces)) throw alreadyUsed();
        await forgetBefore(backupId, states);
        states = [];
      }
      states.push(state);
    }
    return states;
  }

  async function forgetBefore(backupId: string, forget: readonly DeletedBackup[]): Promise<void> {
    const backup = await access.read(backupId);
    const outcome = await records.commit({
      backupId,
      expect: backup ?? "absent",
      next: backup && { ...backup, metadata: storedMetadata(backup.metadata) },
      forget,
      collect: leftoversOf(forget, clock.nowMs()),
    });
    if (outcome !== "committed") throw errorOf("revision");
  }
}
