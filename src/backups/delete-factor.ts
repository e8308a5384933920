import type { EventKind } from "../protocol/event.ts";
import type { Backups } from "./backups.ts";
import type { BackupsContext } from "./create-backups.ts";
import { keptDeletion } from "./deletion.ts";
import { type BackupEvent, listedEventFactor } from "./events.ts";
import { listedFactor } from "./model.ts";
import { fail, unauthorized } from "./outcomes.ts";
import { requireMeantAsLast, withoutFactor } from "./rules.ts";
import { exportMetadata } from "./view.ts";

export function deleteFactor(context: BackupsContext): Backups["deleteFactor"] {
  const { clock, access, changes, destructions } = context;
  return async (by, removal) => {
    const backup = await access.authorise(by);
    const { after, contents } = await changes.changeBy(by, backup, (current) => {
      destructions.admitDestruction(backup.backupId); // at each attempt: others may have used the limit up
      const { metadata } = current;
      const nowMs = clock.nowMs();
      const { next, removed } = withoutFactor(metadata, removal, nowMs);
      const subject = listedEventFactor(metadata, removed);
      const events: BackupEvent[] = [{ kind: REMOVED[removal.scope], subject }];
      if (next !== null) {
        if (next.keys.length < metadata.keys.length) events.push({ kind: "ENCRYPTION_KEY_REMOVED" });
        return { next, release: [removed], events };
      }
      const { challengedAtMs } = by;
      requireMeantAsLast(backup.metadata, metadata, { challengedAtMs, nowMs });
      const { id } = listedFactor(metadata, by.factor) ?? fail(unauthorized());
      return { ...keptDeletion(context, current, id), events: [...events, { kind: "DELETED" }] };
    });
    destructions.countDestruction(backup.backupId);
    return after && exportMetadata(after, contents.versions);
  };
}

const REMOVED = { MAIN: "MAIN_FACTOR_REMOVED", SYNC: "SYNC_FACTOR_REMOVED" } as const satisfies Record<
  string,
  EventKind
>;
