import type { Backups, BackupsContext } from "./backups.ts";
import { requireDistinct } from "./change.ts";
import { type BackupMetadata, factorRef, newFactor, storedMetadata } from "./model.ts";
import { withNewBlob } from "./new-content.ts";
import { exportMetadata } from "./view.ts";

export function create(context: BackupsContext): Backups["create"] {
  return async (request) => {
    const { backupId, manifestHash, encryptionKey, encryptionPublicKey, mainFactor, syncFactor } = request;
    const metadata: BackupMetadata = {
      id: backupId,
      manifestHash,
      contentAtMs: context.clock.nowMs(),
      ...(encryptionPublicKey === null ? {} : { encryptionPublicKey }),
      keys: [encryptionKey],
      factors: [newFactor(context, mainFactor.kind)],
      syncFactors: [newFactor(context, syncFactor.kind)],
    };
    const consume = requireDistinct([...request.nonces, ...mainFactor.nonces, ...syncFactor.nonces]);
    await withNewBlob(context, backupId, request, (blob, commit) =>
      commit({
        backupId,
        expect: "absent",
        next: { blob, metadata: storedMetadata(metadata), versions: [] },
        claim: [factorRef("MAIN", mainFactor), factorRef("SYNC", syncFactor)],
        consume,
      }),
    );
    return exportMetadata(metadata, []);
  };
}
