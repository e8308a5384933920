import type { Backups, BackupsContext } from "./backups.ts";
import { deletedStateWith } from "./deleted-states.ts";
import { foundPasskey } from "./find-passkey.ts";
import { factorRef } from "./model.ts";
import { doesNotExist, fail } from "./outcomes.ts";

/** Whether a nonce was consumed is looked up only if the operation fails. */
export function findDeletedPasskey({ records }: BackupsContext): Backups["findDeletedPasskey"] {
  return async (backupId, credentialId) => {
    const factor = factorRef("MAIN", { kind: { kind: "PASSKEY", credentialId } });
    const state = await deletedStateWith(records, backupId, factor);
    return foundPasskey(factor, (state ?? fail(doesNotExist())).backup, false);
  };
}
