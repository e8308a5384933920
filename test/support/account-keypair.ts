/** The key of an account, as the requests of tests need it: challenges and signatures are base64. */
import { accountKey } from "../../src/client/account-key.ts";
import { decodeBase64, encodeBase64 } from "../../src/client/base64.ts";

/** The secp256k1 keypair of an account. */
export interface AccountKeypair {
  readonly secret: Uint8Array;
  readonly backupAccountId: string;
  /** Base64 of the DER signature over a challenge in base64. */
  sign(challenge: string): string;
}

/** @param secret one that was kept; without it a new one is made. */
export function createAccountKeypair(secret?: Uint8Array): AccountKeypair {
  const key = accountKey(secret);
  return {
    secret: key.secret,
    backupAccountId: key.backupAccountId,
    sign: (challenge) => encodeBase64(key.sign(decodeBase64(challenge))),
  };
}
