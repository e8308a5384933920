import { importP256PublicKey, verifyP256 } from "../crypto/ecdsa.ts";
import { decodeBase64 } from "../crypto/encoding.ts";
import { ServiceError } from "../errors.ts";

/**
 * Checks that a challenge was signed with a P-256 key.
 *
 * @param publicKey base64 of the SEC 1 uncompressed point.
 * @param signature base64 of the DER signature over the challenge bytes.
 * @throws ServiceError `signature_verification_error` for every failure.
 */
export function verifyKeypairSignature(publicKey: string, signature: string, challenge: Uint8Array): void {
  const point = decodeBase64(publicKey);
  const key = point && importP256PublicKey(point);
  if (key === null) throw refused("the public key is not a P-256 point in base64 (65 bytes, uncompressed)");
  const der = decodeBase64(signature);
  if (der === null || !verifyP256(key, challenge, der))
    throw refused("the signature is not a DER signature of the challenge by this key, in base64");
}

/** Whether the holder of a P-256 key signed a message; `false` also for a key or signature that is none. */
export function isSignedBy(publicKey: string, signature: string, message: Uint8Array): boolean {
  const point = decodeBase64(publicKey);
  const key = point && importP256PublicKey(point);
  const der = decodeBase64(signature);
  return key !== null && der !== null && verifyP256(key, message, der);
}

function refused(reason: string): ServiceError {
  return new ServiceError("signature_verification_error", `Signature verification failed: ${reason}`);
}
