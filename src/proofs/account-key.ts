import { type AccountSignatureResult, verifySecp256k1 } from "../crypto/ecdsa.ts";
import { decodeBase64, decodeHex } from "../crypto/encoding.ts";
import { type ErrorCode, ServiceError } from "../errors.ts";
import { BACKUP_ACCOUNT_ID_PREFIX } from "../protocol/account-id.ts";

const ERRORS: Readonly<
  Record<Exclude<AccountSignatureResult, "valid">, readonly [code: ErrorCode, message: string]>
> = {
  "invalid-key": ["invalid_backup_account_id", "The backup account id is not a secp256k1 public key"],
  "invalid-encoding": ["invalid_signature", "The signature is not a DER signature in base64"],
  "not-verified": ["signature_verification_error", "The signature does not verify with the account key"],
};

/**
 * Checks that a challenge was signed with the secp256k1 key that a backup account id contains.
 *
 * @param backupAccountId matches `BACKUP_ACCOUNT_ID_PATTERN` of the protocol.
 * @param signature base64 of the DER signature, low s, over the challenge bytes.
 * @throws ServiceError `invalid_backup_account_id` when the id is not a point of the curve; `invalid_signature` when
 *   the signature is not base64 or not DER; `signature_verification_error` when it does not verify.
 */
export function verifyAccountSignature(
  backupAccountId: string,
  signature: string,
  challenge: Uint8Array,
): void {
  const publicKey = decodeHex(backupAccountId.slice(BACKUP_ACCOUNT_ID_PREFIX.length));
  const der = decodeBase64(signature) ?? new Uint8Array();
  const result = publicKey === null ? "invalid-key" : verifySecp256k1(publicKey, challenge, der);
  if (result !== "valid") throw new ServiceError(...ERRORS[result]);
}
