import type { Proven, StoredBackup } from "./authorise.ts";
import type { Backups } from "./backups.ts";
import type { BackupsContext } from "./create-backups.ts";
import { bringingBack, type DeletedState, deletedStatesWith } from "./deleted-states.ts";
import { listedEventFactor } from "./events.ts";
import { passkeyCredential } from "./model.ts";
import { doesNotExist, errorOf, fail } from "./outcomes.ts";
import { counterWentBack, keepCounter, reportCounter } from "./passkey-counter.ts";
import { exportMetadata } from "./view.ts";

export function undelete(context: BackupsContext): Backups["undelete"] {
  const { records, access, random, eventFactory, alerts } = context;

  return async (by, backupId) => {
    // an id that is not known here is not looked up: that would adopt it
    if ((await stateOf(backupId, by)) === null) throw doesNotExist();
    if ((await access.read(backupId)) !== null) throw errorOf("exists");
    // read again: the backup may have been deleted in between
    const { kept, backup } = (await stateOf(backupId, by)) ?? fail(doesNotExist());
    const { metadata, change } = bringingBack(backupId, kept, keepCounter(backup.metadata, by), random);
    const { logId } = metadata;
    const actor = listedEventFactor(metadata, by.factor);
    const wentBack = counterWentBack(backup.metadata, by)
      ? [{ kind: "SIGNATURE_COUNTER_WENT_BACK" } as const]
      : [];
    const outcome = await records.commit({
      ...change,
      consume: by.nonces,
      events: eventFactory.create({ backupId, logId, actor }, [...wentBack, { kind: "UNDELETED" }]),
    });
    if (outcome === "not-kept") throw doesNotExist();
    if (outcome !== "committed") throw errorOf(outcome);
    reportCounter(alerts, backup, by);
    return exportMetadata(metadata, kept.versions);
  };

  /** The latest state with the factor. A passkey has the public key that its assertion was verified with. */
  async function stateOf(backupId: string, { factor, passkey }: Proven): Promise<DeletedState | null> {
    for await (const state of deletedStatesWith(records, backupId, factor)) {
      const keyIn = ({ metadata }: StoredBackup) => passkeyCredential(metadata, factor).publicKey;
      if (passkey === undefined || keyIn(state.backup) === keyIn(passkey.backup)) return state;
    }
    return null;
  }
}
