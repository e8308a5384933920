/** People whose backups a version of the service has stored, with the secrets of their devices, as a file keeps them. */
import { createPrivateKey, createPublicKey, randomUUID } from "node:crypto";
import { createAccountKeypair } from "../support/account-keypair.ts";
import { createFactorKeypair, type FactorKeypair } from "../support/factor-keypair.ts";
import { type FactorUser, type MainFactor, newAccount, newKeypair, newPasskey } from "../support/factors.ts";
import type { OidcIssuer } from "../support/oidc-issuer.ts";
import { type Algorithm, type KeyPair, newKeys } from "../support/software-authenticator.ts";
import { newManifestHash, randomBytes } from "../support/users.ts";

/** A private key: PKCS #8 in base64. */
export type SavedKey = string;

export type SavedFactor =
  | { readonly kind: "EC_KEYPAIR"; readonly key: SavedKey }
  | {
      readonly kind: "PASSKEY";
      readonly key: SavedKey;
      readonly algorithm: Algorithm;
      /** base64url. */
      readonly credentialId: string;
      /** It is bound to one device, and counts its assertions. */
      readonly counts: boolean;
    }
  | {
      readonly kind: "OIDC_ACCOUNT";
      readonly provider: "GOOGLE" | "APPLE";
      readonly sub: string;
      readonly email: string;
    };

export interface SavedContent {
  readonly manifestHash: string;
  /** base64. */
  readonly backup: string;
}

export interface SavedPerson {
  readonly name: string;
  /** base64. */
  readonly accountSecret: string;
  /** Those that are on the backup. The first one created it. */
  readonly main: readonly SavedFactor[];
  /** Those that are on the backup, or were when it was deleted. */
  readonly sync: readonly SavedKey[];
  /** The current one first. */
  readonly contents: readonly SavedContent[];
  readonly isDeleted: boolean;
}

export function savedKeypair(): SavedFactor {
  return { kind: "EC_KEYPAIR", key: savedKey() };
}

export function savedKey(algorithm: Algorithm = "ES256"): SavedKey {
  return newKeys(algorithm).privateKey.export({ format: "der", type: "pkcs8" }).toString("base64");
}

export function savedPasskey(algorithm: Algorithm, counts: boolean): SavedFactor {
  const credentialId = Buffer.from(randomBytes(32)).toString("base64url");
  return { kind: "PASSKEY", key: savedKey(algorithm), algorithm, credentialId, counts };
}

export function savedAccount(provider: "GOOGLE" | "APPLE"): SavedFactor {
  const name = randomUUID();
  return { kind: "OIDC_ACCOUNT", provider, sub: `subject-${name}`, email: `${name}@mail.example.com` };
}

export function newContent(): SavedContent {
  return {
    manifestHash: newManifestHash(),
    backup: Buffer.from(randomBytes(120)).toString("base64"),
  };
}

/** @param counter what a passkey that counts has reached. */
export function factorOf(saved: SavedFactor, issuer: OidcIssuer, counter: number): MainFactor {
  switch (saved.kind) {
    case "EC_KEYPAIR":
      return newKeypair(keypairOf(saved.key));
    case "PASSKEY":
      return newPasskey({
        algorithm: saved.algorithm,
        keys: keysOf(saved.key),
        credentialId: Buffer.from(saved.credentialId, "base64url"),
        counter: saved.counts ? counter : null,
        deviceBound: saved.counts,
      });
    case "OIDC_ACCOUNT":
      return newAccount(saved.provider, issuer, saved);
  }
}

export function keypairOf(key: SavedKey): FactorKeypair {
  return createFactorKeypair(keysOf(key).privateKey);
}

function keysOf(key: SavedKey): KeyPair {
  const privateKey = createPrivateKey({ key: Buffer.from(key, "base64"), format: "der", type: "pkcs8" });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

/** A person as tests know users, with one of the contents, main factors and sync factors. */
export function userOf(
  { accountSecret }: Pick<SavedPerson, "accountSecret">,
  main: MainFactor,
  sync: FactorKeypair,
  { manifestHash, backup }: SavedContent,
): FactorUser {
  return {
    account: createAccountKeypair(Buffer.from(accountSecret, "base64")),
    main,
    sync,
    manifestHash,
    backup: Buffer.from(backup, "base64"),
  };
}
