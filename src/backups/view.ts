/** What the owner of a backup sees of it: no subject, issuer or full e-mail address, and no stored credential. */
import type { EncryptionKey } from "../protocol/encryption-key.ts";
import type { ExportedFactor, ExportedSyncFactor, FactorSummary, Metadata } from "../protocol/metadata.ts";
import type { Version } from "../protocol/version.ts";
import type { StoredVersion } from "../storage/contract.ts";
import type { BackupMetadata, Factor, MainFactor, SyncFactor } from "./model.ts";

/** The metadata as the owner of the backup sees it. */
export function exportMetadata(metadata: BackupMetadata, versions: readonly StoredVersion[]): Metadata {
  const { encryptionPublicKey } = metadata;
  return {
    id: metadata.id,
    keys: metadata.keys.map(encryptionKeyOf),
    factors: metadata.factors.map(exportFactor),
    syncFactors: metadata.syncFactors.map(exportSyncFactor),
    manifestHash: metadata.manifestHash,
    versions: versions.map(exportVersion),
    ...(encryptionPublicKey === undefined ? {} : { encryptionPublicKey }),
  };
}

/** The public view of a main factor. */
export function summarizeFactor({ kind }: MainFactor): FactorSummary {
  return { kind: kind.kind, accountKind: kind.kind === "OIDC_ACCOUNT" ? kind.account.kind : null };
}

/** An encryption key with the members of its kind and no others. */
export function encryptionKeyOf(key: EncryptionKey): EncryptionKey {
  const { kind, encryptedKey } = key;
  if (kind !== "TURNKEY") return { kind, encryptedKey };
  const { turnkeyAccountId, turnkeyUserId, turnkeyPrivateKeyId } = key;
  return { kind, encryptedKey, turnkeyAccountId, turnkeyUserId, turnkeyPrivateKeyId };
}

function exportVersion({ versionId, manifestHash, blob, createdAtMs, replacedAtMs }: StoredVersion): Version {
  return {
    versionId,
    manifestHash,
    size: blob.size,
    createdAt: Math.floor(createdAtMs / 1000),
    replacedAt: Math.floor(replacedAtMs / 1000),
  };
}

function exportSyncFactor({ lastUsedAt, ...factor }: SyncFactor): ExportedSyncFactor {
  return { ...exportFactor(factor), ...(lastUsedAt === undefined ? {} : { lastUsedAt }) };
}

function exportFactor({ id, createdAt, kind }: Factor): ExportedFactor {
  switch (kind.kind) {
    case "PASSKEY": {
      const { credentialId, registration, label } = kind;
      return { id, createdAt, kind: { kind: kind.kind, credentialId, registration, label } };
    }
    case "OIDC_ACCOUNT": {
      const account = { kind: kind.account.kind, maskedEmail: kind.account.maskedEmail };
      return {
        id,
        createdAt,
        kind: { kind: kind.kind, account, turnkeyProviderId: kind.turnkeyProviderId },
      };
    }
    case "EC_KEYPAIR":
      return { id, createdAt, kind: { kind: kind.kind, publicKey: kind.publicKey } };
  }
}
