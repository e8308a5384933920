/** An account key in JavaScript: an entry of its own, since the curve takes more than the rest of the client. */
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { BACKUP_ACCOUNT_ID_PREFIX } from "../protocol/account-id.ts";
import type { AccountKey } from "./factors/account-key.ts";
import { encodeHex } from "./hash.ts";

export type { AccountKey } from "./factors/account-key.ts";

/** An account key with its secret. */
export interface SecretAccountKey extends AccountKey {
  /** 32 bytes. Who has them can reset the backup; they decrypt nothing. */
  readonly secret: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
}

/** @param secret that of an account key that was kept; without it a new one is made. */
export function accountKey(secret: Uint8Array = secp256k1.utils.randomSecretKey()): SecretAccountKey {
  return {
    secret,
    backupAccountId: BACKUP_ACCOUNT_ID_PREFIX + encodeHex(secp256k1.getPublicKey(secret)),
    sign: (message) => secp256k1.sign(message, secret, { format: "der" }),
  };
}
