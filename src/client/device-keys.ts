/** The keys that a device makes for itself: P-256 for factors, secp256k1 for the account. */
import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { encodeBase64, encodeHex } from "../crypto/encoding.ts";

/** A P-256 keypair as a factor. */
export interface FactorKeypair {
  /** Base64 of the SEC 1 uncompressed point. */
  readonly publicKey: string;
  readonly privateKey: KeyObject;
  /** Base64 of the DER signature over a challenge in base64. */
  sign(challenge: string): string;
}

/** The secp256k1 keypair of an account. */
export interface AccountKeypair {
  readonly backupAccountId: string;
  /** Base64 of the DER signature over a challenge in base64. */
  sign(challenge: string): string;
}

const SPKI_PREFIX_BYTES = 26;

export function createFactorKeypair(): FactorKeypair {
  const pair = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: { format: "der", type: "spki" },
    privateKeyEncoding: { format: "der", type: "pkcs8" },
  });
  const privateKey = createPrivateKey({ key: pair.privateKey, format: "der", type: "pkcs8" });
  return {
    publicKey: encodeBase64(pair.publicKey.subarray(SPKI_PREFIX_BYTES)),
    privateKey,
    sign: (challenge) => encodeBase64(sign("sha256", Buffer.from(challenge, "base64"), privateKey)),
  };
}

export function createAccountKeypair(): AccountKeypair {
  const { secretKey, publicKey } = secp256k1.keygen();
  return {
    backupAccountId: `backup_account_${encodeHex(publicKey)}`,
    sign: (challenge) =>
      encodeBase64(secp256k1.sign(Buffer.from(challenge, "base64"), secretKey, { format: "der" })),
  };
}
