import type { BlobRef } from "../storage/contract.ts";
import type { StoredBackup } from "./authorise.ts";
import type { Backups } from "./backups.ts";
import { MAX_ATTEMPTS } from "./change.ts";
import type { BackupsContext } from "./create-backups.ts";
import { requireEncryptionPublicKey } from "./encryption-public-key.ts";
import { droppedBlobs, withContent } from "./history.ts";
import { withLastUse } from "./last-use.ts";
import { lists, storedMetadata } from "./model.ts";
import { withNewBlob } from "./new-content.ts";
import { requireManifestHash } from "./rules.ts";

export function sync(context: BackupsContext): Backups["sync"] {
  const { clock, random, history, access, changes } = context;

  return async (by, request) => {
    const first = await access.authorise(by);
    const { backupId } = first;
    requireManifestHash(first.metadata, request.currentManifestHash);
    requireEncryptionPublicKey(first.metadata, request.encryptionPublicKey);

    const versionId = random.uuid();
    let dropped: readonly BlobRef[] = [];
    await withNewBlob(context, backupId, request, async (blob, commit) => {
      for (let attempt = 0, current: StoredBackup | null = first; attempt < MAX_ATTEMPTS; attempt++) {
        // With the same content, only the factors have changed: try again.
        if (current?.blob.key !== first.blob.key || !lists(current.metadata, by.factor)) break;
        const nowMs = clock.nowMs();
        const used = withLastUse(current.metadata, by.factor, nowMs);
        const metadata = { ...used, manifestHash: request.newManifestHash, contentAtMs: nowMs };
        const contents = withContent(current, { blob, storedAtMs: nowMs }, history.versions, {
          versionId,
          nowMs,
        });
        const outcome = await commit({
          backupId,
          expect: { revision: current.revision },
          next: { ...contents, metadata: storedMetadata(metadata) },
          consume: by.nonces,
        });
        if (outcome === "committed") dropped = droppedBlobs(current, contents);
        if (outcome !== "revision") return outcome;
        current = await access.read(backupId);
      }
      return "revision";
    });
    void changes.discard(...dropped); // the client need not wait for that
    return backupId;
  };
}
