/**
 * ECDSA signatures over SHA-256 (FIPS 186-5 §6.4.2) on the two curves of the wire format.
 *
 * P-256 runs natively. secp256k1 runs in JavaScript, because Bun's native library does not support the curve. Both use
 * the same strict DER parser, so that each signature has a single encoding.
 */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";

/** `SubjectPublicKeyInfo` of a P-256 key up to the point (RFC 5480 §2): id-ecPublicKey, secp256r1, BIT STRING. */
const P256_SPKI_PREFIX = Buffer.from("3059301306072a8648ce3d020106082a8648ce3d030107034200", "hex");

const P256_POINT_BYTES = 65;
const UNCOMPRESSED_POINT = 0x04;
const MAX_DER_SIGNATURE_BYTES = 72;

/**
 * A P-256 public key from a SEC 1 uncompressed point of 65 bytes; `null` for any other encoding and for a point off the
 * curve.
 */
export function importP256PublicKey(point: Uint8Array): KeyObject | null {
  if (point.length !== P256_POINT_BYTES || point[0] !== UNCOMPRESSED_POINT) return null;
  try {
    return createPublicKey({ key: Buffer.concat([P256_SPKI_PREFIX, point]), format: "der", type: "spki" });
  } catch {
    return null; // the point is not on the curve
  }
}

/**
 * Verifies a P-256 signature over `message` (not over its hash).
 *
 * @param signature DER `Ecdsa-Sig-Value` (RFC 3279 §2.2.3), at most 72 bytes; anything but strict DER is `false`.
 *   Both values of s are accepted.
 */
export function verifyP256(publicKey: KeyObject, message: Uint8Array, signature: Uint8Array): boolean {
  const parsed = parseSignature(p256, signature);
  if (parsed === null) return false;
  return verify("sha256", message, { key: publicKey, dsaEncoding: "ieee-p1363" }, parsed.toBytes("compact"));
}

/** `valid`, or why a secp256k1 signature is refused. */
export type AccountSignatureResult = "valid" | "invalid-key" | "invalid-encoding" | "not-verified";

/**
 * Verifies a secp256k1 signature over `message` (not over its hash). Signatures with a high s are `not-verified`.
 *
 * @param publicKey SEC 1 compressed point, 33 bytes.
 * @param signature strict DER `Ecdsa-Sig-Value`.
 */
export function verifySecp256k1(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): AccountSignatureResult {
  if (!secp256k1.utils.isValidPublicKey(publicKey, true)) return "invalid-key";
  const parsed = parseSignature(secp256k1, signature);
  if (parsed === null) return "invalid-encoding";
  const compact = parsed.toBytes("compact");
  const verified = secp256k1.verify(compact, message, publicKey, { format: "compact", lowS: true });
  return verified ? "valid" : "not-verified";
}

function parseSignature(curve: typeof p256, signature: Uint8Array) {
  if (signature.length > MAX_DER_SIGNATURE_BYTES) return null;
  try {
    return curve.Signature.fromBytes(signature, "der");
  } catch {
    return null; // not DER, or r or s outside 1..n-1
  }
}
