import type { Backups } from "./backups.ts";
import type { BackupsContext } from "./create-backups.ts";
import { type BackupEvent, eventFactor } from "./events.ts";
import { factorRef, listedFactor, lists, newFactor } from "./model.ts";
import { withMainFactor } from "./rules.ts";
import { exportMetadata } from "./view.ts";

export function addFactor(context: BackupsContext): Backups["addFactor"] {
  const { access, changes, limits } = context;
  return async (by, added, encryptionKey) => {
    const backup = await access.authorise(by);
    const factor = newFactor(context, added.kind);
    const ref = factorRef("MAIN", added);
    const { after, contents } = await changes.changeBy(
      by,
      backup,
      ({ metadata }) => {
        const next = withMainFactor(metadata, factor, encryptionKey, limits);
        const isNew = !lists(metadata, ref);
        const events: BackupEvent[] = [];
        if (isNew) events.push({ kind: "MAIN_FACTOR_ADDED", subject: eventFactor("MAIN", factor) });
        if (next.keys.length > metadata.keys.length) events.push({ kind: "ENCRYPTION_KEY_ADDED" });
        return { next, claim: isNew ? [ref] : [], events };
      },
      added.nonces,
    );
    return {
      factorId: (listedFactor(after, ref) ?? factor).id,
      metadata: exportMetadata(after, contents.versions),
    };
  };
}
