/**
 * Material binding: the existing factor authorises, with its challenge, a digest of what is added, so that nobody between the
 * device and the service can change any of it.
 */
import { decodeBase64, decodeBase64Url } from "./base64.ts";
import { concatenated, type Sha256 } from "./hash.ts";
import type { Authorization, EncryptionKey } from "./wire.ts";

export interface Material {
  readonly factor: Authorization;
  readonly turnkeyProviderId: string | undefined;
  readonly encryptionKey: EncryptionKey | undefined;
}

/** The members of a registration that are bound. */
interface Registration {
  readonly rawId?: string;
  readonly response?: {
    readonly clientDataJSON?: string;
    readonly attestationObject?: string;
    /** SubjectPublicKeyInfo (RFC 5480), as WebAuthn L3 §5.2.1 adds it for the app. */
    readonly publicKey?: string;
    readonly publicKeyAlgorithm?: number;
  };
}

const TAG = "backup-service:add-factor-binding:v1";
const ABSENT = Uint8Array.of(0);
const ES256 = -7;
const SPKI_BYTES = 91;
const POINT_BYTES = 65;

/** The digest of what is added; `null` where the device does not say the public key of a new passkey, or it is not ES256. */
export async function bindingDigest(material: Material, sha256: Sha256): Promise<Uint8Array | null> {
  const factor = encodedFactor(material.factor);
  if (factor === null) return null;
  const { turnkeyProviderId: provider, encryptionKey: key } = material;
  return sha256(
    concatenated(
      new TextEncoder().encode(TAG),
      factor,
      provider === undefined ? ABSENT : fields(1, provider),
      key === undefined ? ABSENT : concatenated(Uint8Array.of(1), encodedKey(key)),
    ),
  );
}

function encodedFactor(authorization: Authorization): Uint8Array | null {
  switch (authorization.kind) {
    case "PASSKEY": {
      const { rawId, response = {} }: Registration = authorization.credential;
      const { clientDataJSON, attestationObject, publicKey, publicKeyAlgorithm } = response;
      if (rawId === undefined || clientDataJSON === undefined || attestationObject === undefined) return null;
      const key = publicKey === undefined ? null : decodeBase64Url(publicKey);
      if (key?.length !== SPKI_BYTES || publicKeyAlgorithm !== ES256) return null;
      return fields(
        1,
        decodeBase64Url(rawId),
        key.subarray(-POINT_BYTES),
        authorization.label ?? "",
        decodeBase64Url(clientDataJSON),
        decodeBase64Url(attestationObject),
      );
    }
    case "OIDC_ACCOUNT":
      return fields(2, authorization.oidcToken.token);
    case "EC_KEYPAIR":
      return fields(3, decodeBase64(authorization.publicKey));
  }
}

function encodedKey(key: EncryptionKey): Uint8Array {
  switch (key.kind) {
    case "PRF":
      return fields(1, key.encryptedKey);
    case "ICLOUD":
      return fields(2, key.encryptedKey);
    case "TURNKEY":
      return fields(3, key.encryptedKey, key.turnkeyAccountId, key.turnkeyUserId, key.turnkeyPrivateKeyId);
  }
}

/** A tag byte, then each value with its length before it: four bytes, big-endian. Texts are UTF-8. */
function fields(tag: number, ...values: readonly (Uint8Array | string)[]): Uint8Array {
  const parts = values.flatMap((value) => {
    const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, bytes.length);
    return [length, bytes];
  });
  return concatenated(Uint8Array.of(tag), ...parts);
}
