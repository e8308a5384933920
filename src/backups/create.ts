import type { Backups } from "./backups.ts";
import { requireDistinct } from "./change.ts";
import type { BackupsContext } from "./create-backups.ts";
import { eventFactor } from "./events.ts";
import { type BackupMetadata, factorRef, newFactor, storedMetadata } from "./model.ts";
import { withNewBlob } from "./new-content.ts";
import { exportMetadata } from "./view.ts";

export function create(context: BackupsContext): Backups["create"] {
  return async (request) => {
    const { backupId, manifestHash, encryptionKey, encryptionPublicKey, mainFactor, syncFactor } = request;
    const factor = newFactor(context, mainFactor.kind);
    const metadata = {
      id: backupId,
      manifestHash,
      logId: context.random.uuid(),
      contentAtMs: context.clock.nowMs(),
      ...(encryptionPublicKey === null ? {} : { encryptionPublicKey }),
      keys: [encryptionKey],
      factors: [factor],
      syncFactors: [newFactor(context, syncFactor.kind)],
    } satisfies BackupMetadata;
    const { logId } = metadata;
    const actor = eventFactor("MAIN", factor);
    const events = context.eventFactory.create({ backupId, logId, actor }, [{ kind: "CREATED" }]);
    const consume = requireDistinct([...request.nonces, ...mainFactor.nonces, ...syncFactor.nonces]);
    await withNewBlob(context, backupId, request, (blob, commit) =>
      commit({
        backupId,
        expect: "absent",
        next: { blob, metadata: storedMetadata(metadata), versions: [] },
        claim: [factorRef("MAIN", mainFactor), factorRef("SYNC", syncFactor)],
        consume,
        events,
      }),
    );
    return exportMetadata(metadata, []);
  };
}
