import type { Backups, BackupsContext } from "./backups.ts";
import { deletedStateWith } from "./deleted-states.ts";
import { listedEventFactor } from "./events.ts";
import { allFactorRefs, storedMetadata } from "./model.ts";
import { doesNotExist, errorOf, fail } from "./outcomes.ts";
import { counterWentBack, keepCounter, reportCounter } from "./passkey-counter.ts";
import { exportMetadata } from "./view.ts";

/**
 * A thief with a phone deletes a backup with the sync factor on it, which could delete it again. So that one stays off; the
 * owner's phone joins again with a recovery.
 */
export function undelete({ records, random, events, alerts }: BackupsContext): Backups["undelete"] {
  return async (by, backupId) => {
    const { kept, backup } = (await deletedStateWith(records, backupId, by.factor)) ?? fail(doesNotExist());
    const { deletedBy, blob, versions } = kept;
    const counted = keepCounter(backup.metadata, by);
    const { logId = random.uuid() } = counted;
    const syncFactors = counted.syncFactors.filter(({ id }) => id !== deletedBy);
    const metadata = { ...counted, logId, syncFactors };
    const actor = listedEventFactor(metadata, by.factor);
    const wentBack = counterWentBack(backup.metadata, by)
      ? [{ kind: "SIGNATURE_COUNTER_WENT_BACK" } as const]
      : [];
    const outcome = await records.commit({
      backupId,
      expect: "absent",
      next: { blob, versions, metadata: storedMetadata(metadata) },
      claim: allFactorRefs(metadata),
      consume: by.nonces,
      bringBack: kept,
      events: events.events({ backupId, logId, actor }, [...wentBack, { kind: "UNDELETED" }]),
    });
    if (outcome === "not-kept") throw doesNotExist();
    if (outcome !== "committed") throw errorOf(outcome);
    reportCounter(alerts, backup, by);
    return exportMetadata(metadata, versions);
  };
}
