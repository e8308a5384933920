import type { Conflict } from "../storage/contract.ts";
import type { StoredBackup } from "./authorise.ts";
import type { Backups, BackupsContext } from "./backups.ts";
import { MAX_ATTEMPTS } from "./change.ts";
import { lists, storedMetadata } from "./model.ts";
import { withNewBlob } from "./new-content.ts";
import { errorOf } from "./outcomes.ts";
import { requireManifestHash } from "./rules.ts";

export function sync(context: BackupsContext): Backups["sync"] {
  const { access, changes } = context;

  return async (by, request) => {
    const first = await access.authorise(by);
    const { backupId } = first;
    requireManifestHash(first.metadata, request.currentManifestHash);

    const outcome = await withNewBlob(context, backupId, request, async (blob, commit) => {
      let last: "committed" | Conflict = "revision";
      for (let attempt = 0, current: StoredBackup | null = first; attempt < MAX_ATTEMPTS; attempt++) {
        // With the same content, only the factors have changed: try again.
        if (current === null || current.blob.key !== first.blob.key || !lists(current.metadata, by.factor))
          break;
        const metadata = { ...current.metadata, manifestHash: request.newManifestHash };
        last = await commit({
          backupId,
          expect: { revision: current.revision },
          next: { blob, metadata: storedMetadata(metadata) },
          consume: by.nonces,
        });
        if (last !== "revision") break;
        current = await access.read(backupId);
      }
      return last;
    });
    if (outcome !== "committed") throw errorOf(outcome);
    void changes.discard(first.blob); // the client need not wait for that
    return backupId;
  };
}
