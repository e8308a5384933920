/** A backup of this service as the other service stores it. */
import type { BackupMetadata, MainFactor, SyncFactor } from "../model.ts";
import { credentialToLegacy, withCounter } from "./credential.ts";
import type { Issuers } from "./from-legacy.ts";
import {
  isLegacyCredential,
  type LegacyFactor,
  type LegacyMetadata,
  LegacyProblem,
  type LegacySyncFactor,
} from "./metadata.ts";
import { canonicalHash, formOf, secondsOf, timeOf } from "./written-forms.ts";

/**
 * Metadata in the form of the other service, which gives back what came from there as it was. Members that only this
 * service knows are kept: the other service ignores them, and an import reads them again. The log stays here.
 *
 * @param archiveId names the ciphertext.
 * @throws LegacyProblem where the other service has no form for it.
 */
export function toLegacy(metadata: BackupMetadata, archiveId: string, issuers: Issuers): LegacyMetadata {
  const { manifestHash, factors, syncFactors, logId: _logHere, ...others } = metadata;
  const { manifestHashAsWritten, ...rest }: typeof others & { manifestHashAsWritten?: unknown } = others;
  return {
    ...rest,
    manifestHash: formOf(manifestHashAsWritten, manifestHash, (text) => canonicalHash(text) === manifestHash),
    factors: factors.map((factor) => mainFactor(factor, issuers)),
    syncFactors: syncFactors.map(syncFactor),
    archiveId,
  };
}

function mainFactor(factor: MainFactor, issuers: Issuers): LegacyFactor {
  const { kind } = factor;
  switch (kind.kind) {
    case "EC_KEYPAIR":
      return { ...created(factor), kind };
    case "OIDC_ACCOUNT":
      return { ...created(factor), kind: account(kind, issuers) };
    case "PASSKEY":
      return { ...created(factor), kind: passkey(kind) };
  }
}

/** When it was last used is in its row, not in the metadata. */
function syncFactor(factor: SyncFactor): LegacySyncFactor {
  const { lastUsedAt: _inRow, ...rest }: SyncFactor & { lastUsedAt?: unknown } = factor;
  return { ...created(rest), kind: rest.kind };
}

/** A factor without its kind, and its time as it was written. */
function created(factor: MainFactor | SyncFactor) {
  const { createdAt, kind: _kind, ...others } = factor;
  const { createdAtAsWritten, ...rest }: typeof others & { createdAtAsWritten?: unknown } = others;
  const isSameTime = (text: string) => secondsOf(text) === createdAt;
  return { ...rest, createdAt: formOf(createdAtAsWritten, timeOf(createdAt), isSameTime) };
}

function account(kind: Extract<MainFactor["kind"], { kind: "OIDC_ACCOUNT" }>, issuers: Issuers) {
  const { issuer, ...rest } = kind.account;
  if (issuer !== issuers[rest.kind])
    throw new LegacyProblem("an account is of another issuer than GOOGLE_ISSUER or APPLE_ISSUER");
  return { ...kind, account: rest };
}

function passkey(kind: Extract<MainFactor["kind"], { kind: "PASSKEY" }>) {
  const { credentialId, credential, ...others } = kind;
  const { webauthnCredential: kept, ...rest }: typeof others & { webauthnCredential?: unknown } = others;
  const webauthnCredential = isLegacyCredential(kept)
    ? withCounter(kept, credential.counter)
    : credentialToLegacy(credentialId, credential);
  return { ...rest, webauthnCredential };
}
