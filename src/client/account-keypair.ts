import { secp256k1 } from "@noble/curves/secp256k1.js";
import { BACKUP_ACCOUNT_ID_PREFIX } from "../protocol/backup.ts";
import { decodeBase64, encodeBase64 } from "./base64.ts";

/** The secp256k1 keypair of an account. */
export interface AccountKeypair {
  readonly backupAccountId: string;
  /** Base64 of the DER signature over a challenge in base64. */
  sign(challenge: string): string;
}

export function createAccountKeypair(): AccountKeypair {
  const { secretKey, publicKey } = secp256k1.keygen();
  const hex = Array.from(publicKey, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return {
    backupAccountId: BACKUP_ACCOUNT_ID_PREFIX + hex,
    sign: (challenge) => encodeBase64(secp256k1.sign(decodeBase64(challenge), secretKey, { format: "der" })),
  };
}
