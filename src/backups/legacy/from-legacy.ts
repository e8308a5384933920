/** A backup of the other service as this one stores it. */
import { maskedEmail } from "../../proofs/identity/masked-email.ts";
import { withoutPrfResults } from "../../proofs/passkey/prf-results.ts";
import type { BackupMetadata, MainFactor, SyncFactor } from "../model.ts";
import { credentialFromLegacy, credentialToLegacy } from "./credential.ts";
import type { LegacyAccount, LegacyFactor, LegacyMetadata, LegacyPasskey } from "./metadata.ts";
import { canonicalHash, secondsOf, timeOf } from "./written-forms.ts";

/** The issuers of id_tokens, which the other service has in its configuration and not in its metadata. */
export type Issuers = Readonly<Record<"GOOGLE" | "APPLE", string>>;

/**
 * Its metadata in the form of this service. Members that neither knows are kept. Whole e-mail addresses and PRF results
 * are left out. `webauthnCredential` of a passkey is kept as it is, where it is not what this service would write.
 *
 * @throws LegacyProblem
 */
export function fromLegacy(legacy: LegacyMetadata, issuers: Issuers): BackupMetadata {
  const { archiveId: _placeOfContent, manifestHash, encryptionPublicKey, ...rest } = legacy;
  const hash = canonicalHash(manifestHash);
  return {
    ...rest,
    manifestHash: hash,
    ...(manifestHash === hash ? {} : { manifestHashAsWritten: manifestHash }),
    ...(encryptionPublicKey == null ? {} : { encryptionPublicKey: canonicalHash(encryptionPublicKey) }),
    factors: legacy.factors.map((factor) => mainFactor(factor, issuers)),
    syncFactors: legacy.syncFactors.map((factor): SyncFactor => ({ ...factor, ...createdOf(factor) })),
  };
}

function mainFactor(factor: LegacyFactor, issuers: Issuers): MainFactor {
  const { kind } = factor;
  const created = createdOf(factor);
  switch (kind.kind) {
    case "EC_KEYPAIR":
      return { ...factor, ...created, kind };
    case "OIDC_ACCOUNT":
      return { ...factor, ...created, kind: account(kind, issuers) };
    case "PASSKEY":
      return { ...factor, ...created, kind: passkey(kind) };
  }
}

function createdOf({ createdAt }: LegacyFactor) {
  const seconds = secondsOf(createdAt);
  const isUsual = createdAt === timeOf(seconds);
  return { createdAt: seconds, ...(isUsual ? {} : { createdAtAsWritten: createdAt }) };
}

function account(kind: LegacyAccount, issuers: Issuers) {
  const { email, maskedEmail: masked, ...rest } = kind.account;
  const known = Object.entries(rest).filter(([name]) => !/mail/i.test(name));
  return {
    ...kind,
    account: {
      ...Object.fromEntries(known),
      kind: rest.kind,
      sub: rest.sub,
      issuer: issuers[rest.kind],
      // a mask without its stars may be the address
      maskedEmail: masked?.includes("***") ? masked : maskedEmail(masked || email || ""),
    },
  };
}

function passkey({ webauthnCredential, ...rest }: LegacyPasskey) {
  const registration = withoutPrfResults(rest.registration);
  const { credentialId, credential } = credentialFromLegacy(webauthnCredential, registration);
  const usual = JSON.stringify(credentialToLegacy(credentialId, credential));
  return {
    ...rest,
    label: rest.label ?? "",
    registration,
    credentialId,
    credential,
    ...(JSON.stringify(webauthnCredential) === usual ? {} : { webauthnCredential }),
  };
}
