import type { Backups } from "./backups.ts";
import type { BackupsContext } from "./create-backups.ts";
import { droppedBlobs, requireVersion, withContent } from "./history.ts";
import { errorOf } from "./outcomes.ts";
import { requireManifestHash } from "./rules.ts";
import { exportMetadata } from "./view.ts";

/**
 * No ciphertext is copied: the record refers to that of the version as its content, and to the other as a version. The
 * content keeps its time, so that when it is replaced it is the last of its day again: otherwise a thief with a sync
 * factor could restore and replace all that is kept of earlier days within minutes.
 */
export function restoreVersion(context: BackupsContext): Backups["restoreVersion"] {
  const { clock, random, history, access, changes, restores } = context;
  return async (by, { versionId, currentManifestHash }) => {
    const first = await access.authorise(by);
    restores.admitRestore(first.backupId);
    requireManifestHash(first.metadata, currentManifestHash);
    requireVersion(first, versionId);
    const replacedId = random.uuid();
    const { before, after, contents } = await changes.changeBy(by, first, (current) => {
      if (current.blob.key !== first.blob.key) throw errorOf("revision");
      const { blob, manifestHash, createdAtMs: storedAtMs } = requireVersion(current, versionId);
      const nowMs = clock.nowMs();
      return {
        next: { ...current.metadata, manifestHash, contentAtMs: storedAtMs },
        events: [{ kind: "VERSION_RESTORED" }],
        contents: withContent(current, { blob, storedAtMs }, history.versions, {
          versionId: replacedId,
          nowMs,
        }),
      };
    });
    restores.countRestore(first.backupId);
    void changes.discard(...droppedBlobs(before, contents)); // the client need not wait for that
    return exportMetadata(after, contents.versions);
  };
}
