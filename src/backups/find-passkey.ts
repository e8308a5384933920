import type { FactorRef } from "../storage/contract.ts";
import type { StoredBackup } from "./authorise.ts";
import type { Backups, FoundPasskey } from "./backups.ts";
import type { BackupsContext } from "./create-backups.ts";
import { factorRef, passkeyCredential } from "./model.ts";
import { fail, untraceable } from "./outcomes.ts";

export function findPasskey({ records, access }: BackupsContext): Backups["findPasskey"] {
  return async (credentialId, nonces) => {
    const factor = factorRef("MAIN", { kind: { kind: "PASSKEY", credentialId } });
    const { backupId, consumed } = await records.locate(factor, nonces);
    const backup = await access.open(backupId ?? fail(untraceable()), factor);
    return foundPasskey(factor, backup, consumed);
  };
}

/** A passkey that the backup lists. */
export function foundPasskey(factor: FactorRef, backup: StoredBackup, consumed: boolean): FoundPasskey {
  const { metadata } = backup;
  return {
    factor,
    backup,
    consumed,
    credential: passkeyCredential(metadata, factor),
    turnkeyAccountId: metadata.keys.find((key) => key.kind === "TURNKEY")?.turnkeyAccountId ?? null,
  };
}
