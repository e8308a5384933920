import { encodeBase64Url } from "../crypto/encoding.ts";
import { BlobDamaged, type BlobRef, type FactorRef } from "../storage/contract.ts";
import type { StoredBackup } from "./authorise.ts";
import type { Backups } from "./backups.ts";
import { MAX_ATTEMPTS } from "./change.ts";
import type { BackupsContext } from "./create-backups.ts";
import { requireVersion } from "./history.ts";
import { isSameBackup, listedFactor } from "./model.ts";
import { errorOf, fail, unauthorized } from "./outcomes.ts";
import { syncFactorTokenId } from "./sync-factor-token.ts";
import { exportMetadata } from "./view.ts";

const TOKEN_BYTES = 32;
/** How long a recovered device has to add its sync factor. */
export const SYNC_FACTOR_TOKEN_LIFETIME_MS = 15 * 60 * 1000;

export function retrieve(context: BackupsContext): Backups["retrieve"] {
  const { blobs, clock, random, access, changes } = context;

  return async (by, { client, versionId }, begin) => {
    const backup = await access.authorise(by);
    const { backupId } = backup;
    const { size } = contentOf(backup, versionId);
    const syncFactorToken = encodeBase64Url(random.bytes(TOKEN_BYTES));
    const issue = {
      id: syncFactorTokenId(syncFactorToken),
      backupId,
      holder: (listedFactor(backup.metadata, by.factor) ?? fail(unauthorized())).id,
      expiresAtMs: clock.nowMs() + SYNC_FACTOR_TOKEN_LIFETIME_MS,
    };
    const logged = { backup, events: [{ kind: "RECOVERED" }] } as const;
    const delivery = begin({ backupId, size });
    const open = async () => ({
      ...(await openContent(backup, by.factor, client, versionId)),
      syncFactorToken,
    });
    try {
      return await changes.consumeDuring(by, () => delivery.make(open), { issue, logged });
    } catch (error) {
      await delivery.discard();
      throw error;
    }
  };

  /**
   * Opens the current content, or a version. A sync may replace or prune it after the record was read: then reads the
   * record again.
   */
  async function openContent(
    first: StoredBackup,
    factor: FactorRef,
    client: string,
    versionId: string | null,
  ) {
    for (let attempt = 0, record = first; ; attempt++) {
      const blob = contentOf(record, versionId);
      const content = await blobs.get(blob, client);
      if (content !== null)
        return { metadata: exportMetadata(record.metadata, record.versions), size: blob.size, content };
      const again = await access.open(record.backupId, factor);
      // the sync factor token is for the first backup
      if (!isSameBackup(first.metadata, again.metadata)) throw errorOf("revision");
      if (contentOf(again, versionId).key === blob.key || attempt === MAX_ATTEMPTS)
        throw new BlobDamaged(blob.key, "it is missing");
      record = again;
    }
  }
}

function contentOf(backup: StoredBackup, versionId: string | null): BlobRef {
  return versionId === null ? backup.blob : requireVersion(backup, versionId).blob;
}
