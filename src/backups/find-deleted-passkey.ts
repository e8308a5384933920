import { ServiceError } from "../errors.ts";
import type { RecordStore } from "../storage/contract.ts";
import type { Backups } from "./backups.ts";
import { deletedStatesWith } from "./deleted-states.ts";
import { foundPasskey } from "./find-passkey.ts";
import { factorRef } from "./model.ts";
import { doesNotExist } from "./outcomes.ts";

/**
 * The id of a passkey is no secret, and a new one may be registered under it once the index is free: so the state of
 * somebody else may list it as well, with another key. Whether a nonce was consumed is looked up only if the operation fails.
 */
export function findDeletedPasskey({
  records,
}: {
  readonly records: Pick<RecordStore, "readDeleted">;
}): Backups["findDeletedPasskey"] {
  return async (backupId, credentialId, _nonces, verify) => {
    const factor = factorRef("MAIN", { kind: { kind: "PASSKEY", credentialId } });
    let refusal: ServiceError | null = null;
    for await (const { backup } of deletedStatesWith(records, backupId, factor)) {
      const found = foundPasskey(factor, backup, false);
      try {
        verify(found.credential);
        return found;
      } catch (error) {
        if (!(error instanceof ServiceError)) throw error;
        refusal ??= error;
      }
    }
    throw refusal ?? doesNotExist();
  };
}
