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
  readonly response?: { readonly clientDataJSON?: string; readonly attestationObject?: string };
}

const TAG = "backup-service:add-factor-binding:v1";
const ABSENT = Uint8Array.of(0);
const COORDINATE_BYTES = 32;
const UNCOMPRESSED = Uint8Array.of(4);
/** How an ES256 key begins up to x, and what is between x and y: an authenticator has to write it so (CTAP2 §8). */
const BEFORE_X = Uint8Array.of(0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20);
const BEFORE_Y = Uint8Array.of(0x22, 0x58, 0x20);

/** The digest of what is added; `null` for a passkey that is not ES256. */
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
      const { clientDataJSON, attestationObject } = response;
      if (rawId === undefined || clientDataJSON === undefined || attestationObject === undefined) return null;
      const [id, attestation] = [decodeBase64Url(rawId), decodeBase64Url(attestationObject)];
      const point = pointIn(attestation, id);
      if (point === null) return null;
      return fields(1, id, point, authorization.label ?? "", decodeBase64Url(clientDataJSON), attestation);
    }
    case "OIDC_ACCOUNT":
      return fields(2, authorization.oidcToken.token);
    case "EC_KEYPAIR":
      return fields(3, decodeBase64(authorization.publicKey));
  }
}

/** The SEC 1 uncompressed point of the key, which is right behind the credential id (WebAuthn L3 §6.5.1). */
function pointIn(attestation: Uint8Array, credentialId: Uint8Array): Uint8Array | null {
  const head = concatenated(credentialId, BEFORE_X);
  const start = attestation.findIndex((_, at) => begins(attestation.subarray(at), head));
  if (start < 0) return null;
  const [x, rest] = split(attestation.subarray(start + head.length));
  const [y] = split(rest.subarray(BEFORE_Y.length));
  const isWhole = begins(rest, BEFORE_Y) && y.length === COORDINATE_BYTES;
  return isWhole ? concatenated(UNCOMPRESSED, x, y) : null;
}

function split(bytes: Uint8Array): [coordinate: Uint8Array, rest: Uint8Array] {
  return [bytes.subarray(0, COORDINATE_BYTES), bytes.subarray(COORDINATE_BYTES)];
}

function begins(bytes: Uint8Array, head: Uint8Array): boolean {
  return head.every((byte, at) => bytes[at] === byte);
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
