/** The view of a backup that its owner gets: no subject, issuer or full e-mail address, and no stored credential. */
import type { BackupMetadata, EncryptionKey, Factor, MainFactor } from "./metadata.ts";

export interface ExportedFactor {
  readonly id: string;
  /** Seconds since the epoch. */
  readonly createdAt: number;
  readonly kind:
    | {
        readonly kind: "PASSKEY";
        readonly credentialId: string;
        readonly registration: unknown;
        readonly label: string;
      }
    | {
        readonly kind: "OIDC_ACCOUNT";
        readonly account: { readonly kind: "GOOGLE" | "APPLE"; readonly maskedEmail: string };
        readonly turnkeyProviderId: string;
      }
    | { readonly kind: "EC_KEYPAIR"; readonly publicKey: string };
}

export interface ExportedMetadata {
  readonly id: string;
  readonly keys: readonly EncryptionKey[];
  readonly factors: readonly ExportedFactor[];
  readonly syncFactors: readonly ExportedFactor[];
  readonly manifestHash: string;
}

/** What anybody may know of a main factor: enough to tell a user how to recover. */
export interface FactorSummary {
  readonly kind: MainFactor["kind"]["kind"];
  readonly accountKind: "GOOGLE" | "APPLE" | null;
}

/** The metadata as its owner sees it. */
export function exportMetadata(metadata: BackupMetadata): ExportedMetadata {
  return {
    id: metadata.id,
    keys: metadata.keys.map(encryptionKeyOf),
    factors: metadata.factors.map(exportFactor),
    syncFactors: metadata.syncFactors.map(exportFactor),
    manifestHash: metadata.manifestHash,
  };
}

/** A main factor as anybody may see it. */
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
