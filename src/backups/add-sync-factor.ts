import { ServiceError } from "../errors.ts";
import type { NewKeypair } from "../proofs/new-factor.ts";
import type { Proof } from "../proofs/verify.ts";
import type { Backups, SyncFactorAddition } from "./backups.ts";
import type { Decide } from "./change.ts";
import type { BackupsContext } from "./create-backups.ts";
import { withEncryptionPublicKey } from "./encryption-public-key.ts";
import { eventFactor } from "./events.ts";
import { type BackupMetadata, factorRef, newFactor } from "./model.ts";
import { alreadyUsed, factorExists, fail, isOtherRefusal } from "./outcomes.ts";
import { withSyncFactor } from "./rules.ts";
import { syncFactorToReplace, withReplacement } from "./sync-factor-replacement.ts";
import { syncFactorTokenId } from "./sync-factor-token.ts";

export function addSyncFactor(context: BackupsContext): Backups["addSyncFactor"] {
  const { records, clock, access, changes, limits } = context;

  return async (added, request) => {
    const redeem = syncFactorTokenId(request.token);
    try {
      return await add(redeem, added, request);
    } catch (error) {
      // the commit that has redeemed the token since it was read may have caused the refusal
      if (isOtherRefusal(error) && (await records.readToken(redeem))?.redeemed) throw alreadyUsed();
      throw error;
    }
  };

  async function add(redeem: string, added: Proof<NewKeypair>, request: SyncFactorAddition): Promise<string> {
    const { challengedAtMs, replacedId, encryptionPublicKey } = request;
    const factor = factorRef("SYNC", added);
    const [located, issued] = await Promise.all([
      records.locate(factor, added.nonces),
      records.readToken(redeem),
    ]);
    if (located.consumed || issued?.redeemed) throw alreadyUsed();
    const { backupId, holder } = issued ?? fail(unknownToken());
    const load = async () =>
      (await access.read(backupId)) ?? fail(new ServiceError("backup_not_found", "The backup is gone"));
    const first = await load();
    const decide: Decide<BackupMetadata> = ({ metadata }) => {
      // The factor that recovered was removed, or the backup was created again: the token is void.
      if (!metadata.factors.some(({ id }) => id === holder)) throw unknownToken();
      if (located.backupId !== null) throw factorExists();
      const listed = newFactor(context, added.kind);
      const replaced = syncFactorToReplace(first.metadata, metadata, { id: replacedId, challengedAtMs });
      const changed =
        replaced === null
          ? withSyncFactor(metadata, listed, limits)
          : withReplacement(metadata, listed, replaced, clock.nowMs());
      return {
        next: withEncryptionPublicKey(changed, encryptionPublicKey),
        claim: [factor],
        release: replaced === null ? [] : [factorRef("SYNC", replaced)],
        redeem,
        events: [
          {
            kind: replaced === null ? "SYNC_FACTOR_ADDED" : "SYNC_FACTOR_REPLACED",
            subject: eventFactor("SYNC", listed),
          },
        ],
      };
    };
    const actorOf = ({ factors }: BackupMetadata) => {
      const recovered = factors.find(({ id }) => id === holder);
      return recovered === undefined ? null : eventFactor("MAIN", recovered);
    };
    await changes.change(added.nonces, first, load, decide, actorOf);
    return backupId;
  }
}

function unknownToken(): ServiceError {
  return new ServiceError("token_not_found", "The sync factor token is unknown or has expired");
}
