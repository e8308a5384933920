/** A keypair that signs synchronously: what a test changes about a request need not wait. */
import { generateKeyPairSync, sign } from "node:crypto";
import { encodeBase64 } from "../../src/crypto/encoding.ts";

/** A P-256 keypair as a factor. */
export interface FactorKeypair {
  /** Base64 of the SEC 1 uncompressed point. */
  readonly publicKey: string;
  /** Base64 of the DER signature over a challenge in base64. */
  sign(challenge: string): string;
}

const SPKI_PREFIX_BYTES = 26;

export function createFactorKeypair(): FactorKeypair {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = publicKey.export({ format: "der", type: "spki" });
  return {
    publicKey: encodeBase64(spki.subarray(SPKI_PREFIX_BYTES)),
    sign: (challenge) => encodeBase64(sign("sha256", Buffer.from(challenge, "base64"), privateKey)),
  };
}
