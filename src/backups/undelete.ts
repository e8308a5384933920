import type { Backups, BackupsContext } from "./backups.ts";
import { bringingBack, deletedStateWith } from "./deleted-states.ts";
import { listedEventFactor } from "./events.ts";
import { doesNotExist, errorOf, fail } from "./outcomes.ts";
import { counterWentBack, keepCounter, reportCounter } from "./passkey-counter.ts";
import { exportMetadata } from "./view.ts";

export function undelete({ records, random, events, alerts }: BackupsContext): Backups["undelete"] {
  return async (by, backupId) => {
    const { kept, backup } = (await deletedStateWith(records, backupId, by.factor)) ?? fail(doesNotExist());
    const { metadata, change } = bringingBack(backupId, kept, keepCounter(backup.metadata, by), random);
    const { logId } = metadata;
    const actor = listedEventFactor(metadata, by.factor);
    const wentBack = counterWentBack(backup.metadata, by)
      ? [{ kind: "SIGNATURE_COUNTER_WENT_BACK" } as const]
      : [];
    const outcome = await records.commit({
      ...change,
      consume: by.nonces,
      events: events.events({ backupId, logId, actor }, [...wentBack, { kind: "UNDELETED" }]),
    });
    if (outcome === "not-kept") throw doesNotExist();
    if (outcome !== "committed") throw errorOf(outcome);
    reportCounter(alerts, backup, by);
    return exportMetadata(metadata, kept.versions);
  };
}
