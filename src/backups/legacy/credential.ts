/** The public keys of passkeys as the other service stores them, and as this one does. */
import { decodeBase64Url, encodeBase64Url } from "../../crypto/encoding.ts";
import { type CoseNumbers, encodeCoseKey, importCosePublicKey } from "../../proofs/passkey/cose-key.ts";
import { type StoredCredential, storedPublicKey } from "../../proofs/passkey/stored-credential.ts";
import { describedPasskey } from "../../proofs/passkey/stored-registration.ts";
import { type LegacyBinary, type LegacyCredential, LegacyProblem } from "./metadata.ts";

/** The names of the algorithms, those of earlier versions included. */
const ALGORITHMS: ReadonlyMap<string, StoredCredential["algorithm"]> = new Map([
  ["ES256", "ES256"],
  ["ECDSA_SHA256", "ES256"],
  ["RS256", "RS256"],
  ["RSASSA_PKCS1_v1_5_SHA256", "RS256"],
]);
/** The other service refuses transports that it does not know. */
const TRANSPORTS = ["usb", "nfc", "ble", "internal", "hybrid"];
const COORDINATE_BYTES = 32;
/** The other service stores exponents in exactly so many. */
const EXPONENT_BYTES = 3;
const UNKNOWN_MODEL = "00000000-0000-0000-0000-000000000000";

/**
 * A passkey as this service stores it.
 *
 * @param registration says what the other service does not keep: the model of the authenticator.
 * @throws LegacyProblem
 */
export function credentialFromLegacy({ cred }: LegacyCredential, registration: unknown) {
  const described = describedPasskey(registration);
  const credential: StoredCredential = {
    publicKey: encodeBase64Url(canonicalKey(cred.cred)),
    algorithm: algorithmOf(cred.cred.type_),
    counter: cred.counter,
    transports: [...(described?.transports ?? cred.transports ?? [])],
    aaguid: described?.aaguid ?? UNKNOWN_MODEL,
    deviceType: cred.backup_eligible ? "multiDevice" : "singleDevice",
    backedUp: cred.backup_state,
    userVerified: cred.user_verified,
  };
  return { credentialId: encodeBase64Url(bytesOf(cred.cred_id)), credential };
}

/** A passkey of this service as the other service stores the passkeys that it registers. @throws LegacyProblem */
export function credentialToLegacy(credentialId: string, credential: StoredCredential): LegacyCredential {
  const transports = credential.transports.filter((transport) => TRANSPORTS.includes(transport));
  const cred = {
    cred_id: credentialId,
    cred: { type_: credential.algorithm, key: legacyKey(credential) },
    counter: credential.counter,
    transports: transports.length === 0 ? null : transports,
    user_verified: credential.userVerified,
    backup_eligible: credential.deviceType === "multiDevice",
    backup_state: credential.backedUp,
    registration_policy: "required",
    extensions: {
      cred_protect: "Ignored",
      hmac_create_secret: "NotRequested",
      appid: "NotRequested",
      cred_props: "Ignored",
    },
    attestation: { data: "None", metadata: "None" },
    attestation_format: "none",
  };
  return { cred };
}

/** The same credential with another counter. */
export function withCounter(credential: LegacyCredential, counter: number): LegacyCredential {
  return { ...credential, cred: { ...credential.cred, counter } };
}

function canonicalKey({ type_, key }: LegacyCredential["cred"]["cred"]): Uint8Array {
  const algorithm = algorithmOf(type_);
  const numbers: CoseNumbers =
    "EC_EC2" in key
      ? { algorithm: "ES256", x: coordinate(key.EC_EC2.x), y: coordinate(key.EC_EC2.y) }
      : { algorithm: "RS256", n: bytesOf(key.RSA.n), e: bytesOf(key.RSA.e) };
  if (numbers.algorithm !== algorithm)
    throw new LegacyProblem("the key of a passkey is not of its algorithm");
  try {
    return importCosePublicKey(encodeCoseKey(numbers)).canonical;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new LegacyProblem(`the key of a passkey cannot be used: ${reason}`);
  }
}

function legacyKey(credential: StoredCredential): LegacyCredential["cred"]["cred"]["key"] {
  const { numbers } = importCosePublicKey(storedPublicKey(credential));
  if (numbers.algorithm === "ES256") {
    const [x, y] = [encodeBase64Url(numbers.x), encodeBase64Url(numbers.y)];
    return { EC_EC2: { curve: "SECP256R1", x, y } };
  }
  if (numbers.e.length > EXPONENT_BYTES)
    throw new LegacyProblem("the other service cannot hold the exponent of an RSA key");
  return { RSA: { n: encodeBase64Url(numbers.n), e: [...padded(numbers.e, EXPONENT_BYTES)] } };
}

function algorithmOf(type: string): StoredCredential["algorithm"] {
  const algorithm = ALGORITHMS.get(type);
  if (algorithm === undefined) throw new LegacyProblem("a passkey has an unknown algorithm");
  return algorithm;
}

function coordinate(value: LegacyBinary): Uint8Array {
  return padded(bytesOf(value), COORDINATE_BYTES);
}

function padded(number: Uint8Array, length: number): Uint8Array {
  return Uint8Array.of(...new Uint8Array(Math.max(0, length - number.length)), ...number);
}

function bytesOf(value: LegacyBinary): Uint8Array {
  if (typeof value !== "string") return Uint8Array.from(value);
  const unpadded = value
    .replace(/={1,2}$/, "")
    .replaceAll("+", "-")
    .replaceAll("/", "_");
  return decodeBase64Url(unpadded) ?? malformed();
}

function malformed(): never {
  throw new LegacyProblem("a binary member of a passkey is not base64");
}
