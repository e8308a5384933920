import { ServiceError } from "../errors.ts";
import type { Backups, BackupsContext } from "./backups.ts";
import { withEncryptionPublicKey } from "./encryption-public-key.ts";
import { factorRef, newFactor } from "./model.ts";
import { alreadyUsed, factorExists, fail } from "./outcomes.ts";
import { withSyncFactor } from "./rules.ts";
import { syncFactorTokenId } from "./sync-factor-token.ts";

export function addSyncFactor(context: BackupsContext): Backups["addSyncFactor"] {
  const { records, access, changes, limits } = context;
  return async (added, { token, encryptionPublicKey }) => {
    const factor = factorRef("SYNC", added);
    const redeem = syncFactorTokenId(token);
    const [located, issued] = await Promise.all([
      records.locate(factor, added.nonces),
      records.readToken(redeem),
    ]);
    if (located.consumed || issued?.redeemed) throw alreadyUsed();
    const { backupId, holder } = issued ?? fail(unknownToken());
    const load = async () =>
      (await access.read(backupId)) ?? fail(new ServiceError("backup_not_found", "The backup is gone"));
    await changes.change(added.nonces, await load(), load, ({ metadata }) => {
      // The factor that recovered was removed, or the backup was created again: the token is void.
      if (!metadata.factors.some(({ id }) => id === holder)) throw unknownToken();
      if (located.backupId !== null) throw factorExists();
      const next = withSyncFactor(metadata, newFactor(context, added.kind), limits);
      return { next: withEncryptionPublicKey(next, encryptionPublicKey), claim: [factor], redeem };
    });
    return backupId;
  };
}

function unknownToken(): ServiceError {
  return new ServiceError("token_not_found", "The sync factor token is unknown or has expired");
}
