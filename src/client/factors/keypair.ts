import { decodeBase64, encodeBase64 } from "../base64.ts";
import { derSignature } from "../der-signature.ts";
import { webCrypto } from "../web-crypto.ts";
import type { EcKeypairAuthorization } from "../wire.ts";

/** A P-256 keypair: the sync factor of a device, or a main factor such as a recovery key. */
export interface KeypairFactor {
  readonly kind: "EC_KEYPAIR";
  /** Base64 of the SEC 1 uncompressed point, as the metadata has it. */
  readonly publicKey: string;
  /** The DER form of an ECDSA signature with SHA-256 over the message. */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/** The keys of a keypair of WebCrypto. IndexedDB keeps them, also those that cannot be exported. */
export interface WebCryptoKeys {
  readonly publicKey: CryptoKey;
  readonly privateKey: CryptoKey;
}

/** A keypair of WebCrypto. */
export interface WebCryptoFactor extends KeypairFactor {
  readonly keys: WebCryptoKeys;
}

/** A key that something else holds: Secure Enclave, Android Keystore, a security module. */
export interface Signer {
  /** The SEC 1 uncompressed point of a P-256 key: 65 bytes, the first one 4. */
  readonly publicKey: Uint8Array;
  /** Signs by ECDSA with SHA-256; the message is not hashed yet. */
  readonly sign: (message: Uint8Array) => Promise<Uint8Array> | Uint8Array;
  /** The form of its signatures: `der`, as on iOS and Android, or r and s of 32 bytes each. By default `der`. */
  readonly signatureFormat?: "der" | "raw";
}

const KEY = { name: "ECDSA", namedCurve: "P-256" };
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" };
const POINT_BYTES = 65;
const UNCOMPRESSED = 4;

/**
 * A keypair of WebCrypto: a new one, or one that was kept.
 *
 * @param keys what {@link WebCryptoFactor.keys} was, or whether the private key of a new one may be exported: by default
 *   not.
 */
export async function keypair(
  keys: WebCryptoKeys | { readonly extractable: boolean } = { extractable: false },
): Promise<WebCryptoFactor> {
  const subtle = webCrypto("a factor of `keypairOf`");
  const pair = "extractable" in keys ? await subtle.generateKey(KEY, keys.extractable, ["sign"]) : keys;
  const publicKey = new Uint8Array(await subtle.exportKey("raw", pair.publicKey));
  const sign = async (message: Uint8Array) =>
    new Uint8Array(await subtle.sign(SIGNATURE, pair.privateKey, new Uint8Array(message)));
  return { ...keypairOf({ publicKey, sign, signatureFormat: "raw" }), keys: pair };
}

/** A keypair whose private key something else holds. @throws TypeError when the public key is no uncompressed point. */
export function keypairOf({ publicKey, sign, signatureFormat = "der" }: Signer): KeypairFactor {
  if (publicKey.length !== POINT_BYTES || publicKey[0] !== UNCOMPRESSED)
    throw new TypeError("the public key is no uncompressed P-256 point of 65 bytes");
  return {
    kind: "EC_KEYPAIR",
    publicKey: encodeBase64(publicKey),
    async sign(message) {
      const signature = await sign(message);
      return signatureFormat === "raw" ? derSignature(signature) : signature;
    },
  };
}

/** `authorization` of a request: the keypair signs the challenge, which is in base64. */
export async function keypairAuthorization(
  factor: KeypairFactor,
  challenge: string,
): Promise<EcKeypairAuthorization> {
  const { kind, publicKey } = factor;
  return { kind, publicKey, signature: encodeBase64(await factor.sign(decodeBase64(challenge))) };
}
