import type { EcKeypairAuthorization } from "../protocol/authorization.ts";
import { decodeBase64, encodeBase64 } from "./base64.ts";
import { derSignature } from "./der-signature.ts";

/** A P-256 keypair as a factor. Its private key cannot be exported. */
export interface FactorKeypair {
  /** Base64 of the SEC 1 uncompressed point. */
  readonly publicKey: string;
  /** The member `authorization` of a request: the challenge, in base64, is signed. */
  authorize(challenge: string): Promise<EcKeypairAuthorization>;
}

const KEY = { name: "ECDSA", namedCurve: "P-256" };
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" };

export async function createFactorKeypair(): Promise<FactorKeypair> {
  const pair = await crypto.subtle.generateKey(KEY, false, ["sign"]);
  const publicKey = encodeBase64(new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)));
  return {
    publicKey,
    async authorize(challenge) {
      const signature = await crypto.subtle.sign(SIGNATURE, pair.privateKey, decodeBase64(challenge));
      return {
        kind: "EC_KEYPAIR",
        publicKey,
        signature: encodeBase64(derSignature(new Uint8Array(signature))),
      };
    },
  };
}
