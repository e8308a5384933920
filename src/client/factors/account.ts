import { decodeBase64, encodeBase64 } from "../base64.ts";
import { encodeHex, type Sha256 } from "../hash.ts";
import { webCryptoSha256 } from "../web-crypto.ts";
import type { Authorization, OidcProvider } from "../wire.ts";
import { type KeypairFactor, keypair } from "./keypair.ts";

/** A Google or Apple account. */
export interface AccountFactor {
  readonly kind: "OIDC_ACCOUNT";
  /** Signs in. An id_token proves one operation, so each needs a sign-in. */
  signIn(): Promise<AccountSession>;
}

/** A sign-in, bound to a keypair by its nonce. */
export interface AccountSession {
  readonly idToken: string;
  /** The keypair signs the message. */
  authorize(message: Uint8Array): Promise<Authorization>;
}

export interface IdTokenOptions {
  readonly provider: OidcProvider;
  /** Signs in with this nonce, and resolves to the id_token. `publicKey` is what the nonce was made of. */
  readonly signIn: (nonce: string, publicKey: string) => Promise<string>;
  /** For Apple: the client id that the id_token is issued to, where the service knows several. */
  readonly clientId?: string;
  /** Makes the keypair of a sign-in. By default one of WebCrypto. */
  readonly createKeypair?: () => Promise<KeypairFactor>;
  /** By default WebCrypto's. */
  readonly sha256?: Sha256;
}

/** An account that signs in by the functions of Google or Apple that an app has. */
export function idToken({
  provider,
  signIn,
  clientId,
  createKeypair = keypair,
  sha256 = webCryptoSha256,
}: IdTokenOptions): AccountFactor {
  return {
    kind: "OIDC_ACCOUNT",
    async signIn() {
      const session = await createKeypair();
      const { publicKey } = session;
      const token = await signIn(await idTokenNonce(publicKey, sha256), publicKey);
      const oidcToken =
        provider === "APPLE"
          ? { kind: provider, token, ...(clientId === undefined ? {} : { aud: clientId }) }
          : { kind: provider, token };
      return {
        idToken: token,
        async authorize(message) {
          const signature = encodeBase64(await session.sign(message));
          return { kind: "OIDC_ACCOUNT", oidcToken, publicKey, signature };
        },
      };
    },
  };
}

const EVEN = 2;
const COORDINATE_END = 33;

/**
 * The nonce that an id_token must have: SHA-256 in hex over the hex digits of the compressed point (SEC 1 §2.3.3).
 *
 * @param publicKey base64 of the uncompressed point.
 */
export async function idTokenNonce(publicKey: string, sha256: Sha256 = webCryptoSha256): Promise<string> {
  const point = decodeBase64(publicKey);
  const parity = (point.at(-1) ?? 0) & 1;
  const compressed = Uint8Array.of(EVEN + parity, ...point.subarray(1, COORDINATE_END));
  return encodeHex(await sha256(new TextEncoder().encode(encodeHex(compressed))));
}
