import type { Backups, BackupsContext } from "./backups.ts";
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
      ({ metadata }) => ({
        next: withMainFactor(metadata, factor, encryptionKey, limits),
        claim: lists(metadata, ref) ? [] : [ref],
      }),
      added.nonces,
    );
    return {
      factorId: (listedFactor(after, ref) ?? factor).id,
      metadata: exportMetadata(after, contents.versions),
    };
  };
}
