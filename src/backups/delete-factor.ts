import { blobsOf } from "../storage/contract.ts";
import type { Backups, BackupsContext } from "./backups.ts";
import { deletion } from "./change.ts";
import { requireMeantAsLast, withoutFactor } from "./rules.ts";
import { exportMetadata } from "./view.ts";

export function deleteFactor(context: BackupsContext): Backups["deleteFactor"] {
  const { clock, access, changes, destructions } = context;
  return async (by, removal) => {
    const backup = await access.authorise(by);
    destructions.admitDestruction(backup.backupId);
    const { before, after, contents } = await changes.changeBy(by, backup, (current) => {
      const nowMs = clock.nowMs();
      const { next, removed } = withoutFactor(current.metadata, removal, nowMs);
      if (next !== null) return { next, release: [removed] };
      const { challengedAtMs } = by;
      requireMeantAsLast(backup.metadata, current.metadata, { challengedAtMs, nowMs });
      return deletion(current);
    });
    destructions.countDestruction(backup.backupId);
    if (after === null) await changes.discard(...blobsOf(before));
    return after && exportMetadata(after, contents.versions);
  };
}
