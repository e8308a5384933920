import { encodeBase64Url } from "../crypto/encoding.ts";
import { BlobDamaged, type FactorRef } from "../storage/contract.ts";
import type { StoredBackup } from "./authorise.ts";
import type { Backups, BackupsContext } from "./backups.ts";
import { MAX_ATTEMPTS } from "./change.ts";
import { isSameBackup, listedFactor } from "./model.ts";
import { errorOf, fail, unauthorized } from "./outcomes.ts";
import { syncFactorTokenId } from "./sync-factor-token.ts";
import { exportMetadata } from "./view.ts";

const TOKEN_BYTES = 32;
const TOKEN_LIFETIME_MS = 15 * 60 * 1000;

export function retrieve(context: BackupsContext): Backups["retrieve"] {
  const { blobs, clock, random, access, changes } = context;

  return async (by, client, begin) => {
    const backup = await access.authorise(by);
    const { backupId } = backup;
    const syncFactorToken = encodeBase64Url(random.bytes(TOKEN_BYTES));
    const issue = {
      id: syncFactorTokenId(syncFactorToken),
      backupId,
      holder: (listedFactor(backup.metadata, by.factor) ?? fail(unauthorized())).id,
      expiresAtMs: clock.nowMs() + TOKEN_LIFETIME_MS,
    };
    const delivery = begin({ backupId, size: backup.blob.size });
    const open = async () => ({ ...(await openContent(backup, by.factor, client)), syncFactorToken });
    try {
      return await changes.consumeDuring(by, () => delivery.make(open), issue);
    } catch (error) {
      await delivery.discard();
      throw error;
    }
  };

  /** Opens the current content. A sync may replace it after the record was read: then reads the record again. */
  async function openContent(first: StoredBackup, factor: FactorRef, client: string) {
    for (let attempt = 0, record = first; ; attempt++) {
      const content = await blobs.get(record.blob, client);
      if (content !== null)
        return { metadata: exportMetadata(record.metadata), size: record.blob.size, content };
      const again = await access.open(record.backupId, factor);
      // the sync factor token is for the first backup
      if (!isSameBackup(first.metadata, again.metadata)) throw errorOf("revision");
      if (again.blob.key === record.blob.key || attempt === MAX_ATTEMPTS)
        throw new BlobDamaged(record.blob.key, "it is missing");
      record = again;
    }
  }
}
