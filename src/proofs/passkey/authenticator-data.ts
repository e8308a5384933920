/** What an authenticator says about a ceremony (WebAuthn L3 §6.1). */
import { readCbor } from "./cbor.ts";

const RP_ID_HASH_BYTES = 32;
const HEAD_BYTES = RP_ID_HASH_BYTES + 1 + 4;
const AAGUID_BYTES = 16;
const FLAGS = { up: 0x01, uv: 0x04, be: 0x08, bs: 0x10, at: 0x40, ed: 0x80 } as const;

export interface AuthenticatorData {
  /** SHA-256 of the relying party's id. */
  readonly rpIdHash: Uint8Array;
  readonly userPresent: boolean;
  readonly userVerified: boolean;
  readonly backupEligible: boolean;
  readonly backedUp: boolean;
  readonly counter: number;
  /** The passkey that was made; only a registration has one. */
  readonly attested: AttestedCredential | null;
}

/** WebAuthn L3 §6.5.1. */
export interface AttestedCredential {
  /** The model of the authenticator as a UUID. */
  readonly aaguid: string;
  readonly credentialId: Uint8Array;
  /** The COSE_Key as the authenticator encoded it. */
  readonly publicKey: Uint8Array;
}

/**
 * Reads authenticator data. The outputs of extensions are not decoded: nothing depends on them, and an unknown encoding
 * must not lock a user out.
 *
 * @throws Error when it is malformed.
 */
export function readAuthenticatorData(bytes: Uint8Array): AuthenticatorData {
  if (bytes.length < HEAD_BYTES) throw new Error("authenticator data has at least 37 bytes");
  const flags = bytes[RP_ID_HASH_BYTES] ?? 0;
  const has = (flag: number) => (flags & flag) !== 0;
  const rest = bytes.subarray(HEAD_BYTES);
  const { attested, length } = has(FLAGS.at) ? readAttested(rest) : { attested: null, length: 0 };
  if (has(FLAGS.ed) !== rest.length > length)
    throw new Error("the flag for extensions does not fit the length of the authenticator data");
  return {
    rpIdHash: bytes.subarray(0, RP_ID_HASH_BYTES),
    userPresent: has(FLAGS.up),
    userVerified: has(FLAGS.uv),
    backupEligible: has(FLAGS.be),
    backedUp: has(FLAGS.bs),
    counter: viewOf(bytes).getUint32(RP_ID_HASH_BYTES + 1),
    attested,
  };
}

function readAttested(bytes: Uint8Array): { attested: AttestedCredential; length: number } {
  const idAt = AAGUID_BYTES + 2;
  if (bytes.length < idAt) throw new Error("attested credential data breaks off");
  const keyAt = idAt + viewOf(bytes).getUint16(AAGUID_BYTES);
  const { length } = readCbor(bytes.subarray(keyAt));
  const attested = {
    aaguid: uuidOf(bytes.subarray(0, AAGUID_BYTES)),
    credentialId: bytes.subarray(idAt, keyAt),
    publicKey: bytes.subarray(keyAt, keyAt + length),
  };
  return { attested, length: keyAt + length };
}

function uuidOf(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
