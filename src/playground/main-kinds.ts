/** The kinds of main factor that the page knows. */
import type { EncryptionKey, FactorSummary, Metadata, OidcProvider } from "../client/index.ts";

export type MainKind = "PASSKEY" | "EC_KEYPAIR" | OidcProvider;

/** The kinds that the page can make. */
export const MAIN_KINDS: readonly MainKind[] = ["PASSKEY", "EC_KEYPAIR", "GOOGLE", "APPLE"];

export const KIND_NAMES = {
  PASSKEY: "Passkey",
  EC_KEYPAIR: "Key",
  GOOGLE: "Google account",
  APPLE: "Apple account",
} as const satisfies Readonly<Record<MainKind, string>>;

/** The kind of encryption key that each of them needs. */
export const KEY_KINDS = {
  PASSKEY: "PRF",
  EC_KEYPAIR: "ICLOUD",
  GOOGLE: "TURNKEY",
  APPLE: "TURNKEY",
} as const satisfies Readonly<Record<MainKind, EncryptionKey["kind"]>>;

/** Accounts of one user share an encryption key. */
export function isAccount(kind: MainKind): boolean {
  return KEY_KINDS[kind] === "TURNKEY";
}

/** @param kind that of a factor in the metadata. */
export function mainKindOf({ kind }: Metadata["factors"][number]): MainKind {
  return kind.kind === "OIDC_ACCOUNT" ? kind.account.kind : kind.kind;
}

/** @param summary what the public status of a backup says of a factor. */
export function summarisedKind({ kind, accountKind }: FactorSummary): MainKind | null {
  return kind === "OIDC_ACCOUNT" ? accountKind : kind;
}

/** The encryption key that factors of a kind need, if the backup has it. */
export function storedKey({ keys }: Metadata, kind: MainKind): EncryptionKey | undefined {
  return keys.find((key) => key.kind === KEY_KINDS[kind]);
}
