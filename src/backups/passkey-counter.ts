/** The signature counter of a passkey: each commit that consumes an assertion stores its counter. */
import { isCounterRegression, requireCounterGrowth } from "../proofs/passkey/signature-counter.ts";
import type { Proven, StoredBackup } from "./authorise.ts";
import { type BackupMetadata, factorRef, passkeyCredential } from "./model.ts";

/** Called after the commit. */
export interface CounterAlerts {
  signatureCounterWentBack(backupId: string): void;
}

/** Whether a factor is a passkey whose counter is above 0, now or as stored. */
export function isCounting(by: Proven): by is Proven & Required<Pick<Proven, "passkey">> {
  const { factor, passkey } = by;
  if (passkey === undefined) return false;
  return passkey.shown.counter > 0 || passkeyCredential(passkey.backup.metadata, factor).counter > 0;
}

/**
 * The metadata with the counter of the assertion, if the passkey counts. A lower counter that was accepted is stored,
 * too: the next counter is compared with that of the device that was used last.
 *
 * @throws ServiceError `webauthn_error` when another assertion stored the same or a higher counter meanwhile and
 *   {@link requireCounterGrowth} refuses that (WebAuthn L3 §7.2).
 */
export function keepCounter(metadata: BackupMetadata, by: Proven): BackupMetadata {
  if (!isCounting(by)) return metadata;
  const { shown } = by.passkey;
  const factors = metadata.factors.map((factor) => {
    if (factor.kind.kind !== "PASSKEY" || factorRef("MAIN", factor).key !== by.factor.key) return factor;
    const { credential } = factor.kind;
    requireCounterGrowth("webauthn_error", credential, shown, []);
    return { ...factor, kind: { ...factor.kind, credential: { ...credential, counter: shown.counter } } };
  });
  return { ...metadata, factors };
}

/** Whether the counter of the assertion is not above the stored one. */
export function counterWentBack(metadata: BackupMetadata, { factor, passkey }: Proven): boolean {
  return passkey !== undefined && isCounterRegression(passkeyCredential(metadata, factor), passkey.shown);
}

/** Reports a counter that went back. To call after the commit that stores it. */
export function reportCounter(alerts: CounterAlerts, before: StoredBackup, by: Proven): void {
  if (counterWentBack(before.metadata, by)) alerts.signatureCounterWentBack(before.backupId);
}
