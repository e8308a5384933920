/** The signature counter of a passkey: every commit that consumes its proof keeps what it showed. */
import { isCounterRegression, requireCounterGrowth } from "../proofs/passkey/signature-counter.ts";
import type { Proven, StoredBackup } from "./authorise.ts";
import { type BackupMetadata, factorRef, passkeyCredential } from "./model.ts";

/** Is called after the commit of what it reports. */
export interface CounterAlerts {
  signatureCounterWentBack(backupId: string): void;
}

/** Whether a factor is a passkey that counts, or did so far. */
export function isCounting(by: Proven): by is Proven & Required<Pick<Proven, "passkey">> {
  const { factor, passkey } = by;
  if (passkey === undefined) return false;
  return passkey.shown.counter > 0 || passkeyCredential(passkey.backup.metadata, factor).counter > 0;
}

/**
 * The metadata with the counter that a passkey showed with its proof, where it counts, also where it went back and was let
 * in: the next one is compared with what the device that is used now counts.
 *
 * @throws ServiceError `webauthn_error` when another use of the passkey has shown the same or a higher one meanwhile and
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

/** Reports a counter that went back, once the change that keeps it is committed. */
export function reportCounter(alerts: CounterAlerts, before: StoredBackup, by: Proven): void {
  if (by.passkey === undefined) return;
  if (isCounterRegression(passkeyCredential(before.metadata, by.factor), by.passkey.shown))
    alerts.signatureCounterWentBack(before.backupId);
}
