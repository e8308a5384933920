/**
 * Material binding: in place of the challenge, an existing factor may authorise the challenge followed by a digest of what
 * is added. Then nobody between the device and the service can change any of it: not the label of a passkey, not the
 * encryption key.
 */
import type { AddFactorConfig } from "../config/add-factor.ts";
import { decodeBase64, sha256 } from "../crypto/encoding.ts";
import { ServiceError } from "../errors.ts";
import type { AddFactorRequest } from "../protocol/add-factor.ts";
import type { Authorization } from "../protocol/authorization.ts";
import type { EncryptionKey } from "../protocol/encryption-key.ts";
import { CHALLENGE_BYTES } from "./challenge-tokens.ts";
import { isSignedBy } from "./keypair.ts";
import { registrationMaterial } from "./passkey/registration-material.ts";

/** What an addition puts on a backup, as the request has it. */
export type Material = Pick<
  AddFactorRequest,
  "newFactorAuthorization" | "turnkeyProviderId" | "encryptedBackupKey"
>;

/** What an existing factor authorised. */
export interface Authorised {
  /** The bytes that it signed as its challenge. */
  readonly message: Uint8Array;
  /** The digest among them; `null` where it authorised the challenge alone. */
  readonly digest: Uint8Array | null;
}

const TAG = Buffer.from("backup-service:add-factor-binding:v1", "ascii");
const DIGEST_BYTES = 32;

/** What was authorised, where the proof says which bytes: a WebAuthn ceremony or an activity does. */
export function authorisedIn(named: Uint8Array | null, challenge: Uint8Array): Authorised {
  const isBound =
    named?.length === CHALLENGE_BYTES + DIGEST_BYTES && isSame(named.subarray(0, CHALLENGE_BYTES), challenge);
  return isBound
    ? { message: named, digest: named.subarray(CHALLENGE_BYTES) }
    : { message: challenge, digest: null };
}

/**
 * What was authorised, where only the signature can tell. A signature over the digest of anything else verifies for neither
 * form, and counts as one over the challenge alone that does not verify.
 */
export function authorisedBy(
  { publicKey, signature }: { readonly publicKey: string; readonly signature: string },
  challenge: Uint8Array,
  material: Material,
): Authorised {
  const unbound = { message: challenge, digest: null };
  if (isSignedBy(publicKey, signature, challenge)) return unbound;
  const digest = bindingDigest(material);
  if (digest === null) return unbound;
  const message = Buffer.concat([challenge, digest]);
  return isSignedBy(publicKey, signature, message) ? { message, digest } : unbound;
}

/**
 * Checks that a digest which was authorised is that of what is added.
 *
 * @throws ServiceError `existing_factor_material_binding_mismatch`, also where none was and one is required.
 */
export function requireBinding(
  { digest }: Authorised,
  material: Material,
  { binding }: Pick<AddFactorConfig, "binding">,
): void {
  if (digest === null && binding === "optional") return;
  const expected = bindingDigest(material);
  if (digest === null || expected === null || !isSame(digest, expected))
    throw new ServiceError(
      "existing_factor_material_binding_mismatch",
      "The existing factor did not authorise what is to be added",
    );
}

/** SHA-256 over the tag and {@link encodedMaterial}; `null` where that is. */
export function bindingDigest(material: Material): Uint8Array | null {
  const encoded = encodedMaterial(material);
  return encoded && sha256(Buffer.concat([TAG, encoded]));
}

/** The canonical form of what is added; `null` for a factor that has none, such as an RS256 passkey. */
export function encodedMaterial(material: Material): Uint8Array | null {
  const { newFactorAuthorization, turnkeyProviderId, encryptedBackupKey } = material;
  const factor = encodedFactor(newFactorAuthorization);
  return (
    factor &&
    Buffer.concat([
      factor,
      turnkeyProviderId == null ? ABSENT : fields(1, turnkeyProviderId),
      ...(encryptedBackupKey == null ? [ABSENT] : [Uint8Array.of(1), encodedKey(encryptedBackupKey)]),
    ])
  );
}

const ABSENT = Uint8Array.of(0);

function encodedFactor(authorization: Authorization): Uint8Array | null {
  switch (authorization.kind) {
    case "PASSKEY": {
      const made = registrationMaterial(authorization.credential);
      const label = authorization.label ?? "";
      return (
        made && fields(1, made.credentialId, made.point, label, made.clientDataJson, made.attestationObject)
      );
    }
    case "OIDC_ACCOUNT":
      return fields(2, authorization.oidcToken.token);
    case "EC_KEYPAIR": {
      const point = decodeBase64(authorization.publicKey);
      return point && fields(3, point);
    }
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
    const bytes = Buffer.from(value);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return [length, bytes];
  });
  return Buffer.concat([Uint8Array.of(tag), ...parts]);
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
