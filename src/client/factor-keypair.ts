import type { EcKeypairAuthorization } from "../protocol/authorization.ts";
import { keypair, keypairAuthorization } from "./factors/keypair.ts";

/** A P-256 keypair as a factor. Its private key cannot be exported. */
export interface FactorKeypair {
  /** Base64 of the SEC 1 uncompressed point. */
  readonly publicKey: string;
  /** The member `authorization` of a request: the challenge, in base64, is signed. */
  authorize(challenge: string): Promise<EcKeypairAuthorization>;
}

export async function createFactorKeypair(): Promise<FactorKeypair> {
  const factor = await keypair();
  return {
    publicKey: factor.publicKey,
    authorize: (challenge) => keypairAuthorization(factor, challenge),
  };
}
