/** A keypair that signs synchronously: what a test changes about a request need not wait. */
import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { encodeBase64 } from "../../src/crypto/encoding.ts";

/** A P-256 keypair as a factor. */
export interface FactorKeypair {
  /** Base64 of the SEC 1 uncompressed point. */
  readonly publicKey: string;
  /** Base64 of the DER signature over a challenge in base64. */
  sign(challenge: string): string;
}

const SPKI_PREFIX_BYTES = 26;

/** @param privateKey one that was kept; without it a new one is made. */
export function createFactorKeypair(
  privateKey: KeyObject = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey,
): FactorKeypair {
  const spki = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return {
    publicKey: encodeBase64(spki.subarray(SPKI_PREFIX_BYTES)),
    sign: (challenge) => encodeBase64(sign("sha256", Buffer.from(challenge, "base64"), privateKey)),
  };
}
