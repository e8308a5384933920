/** Public keys of passkeys: COSE_Key (RFC 9052 §7) with ES256 or RS256. */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import type { CBORType } from "@levischuck/tiny-cbor";
import { importP256PublicKey, verifyP256 } from "../../crypto/ecdsa.ts";
import { encodeBase64Url } from "../../crypto/encoding.ts";
import { encodeCbor, readCbor } from "./cbor.ts";

/** The labels of the members (RFC 9052 §7.1, RFC 9053 §7.1.1, RFC 8230 §4). */
const LABELS = { kty: 1, alg: 3, crv: -1, x: -2, y: -3, n: -1, e: -2 } as const;
const KEY_TYPES = { ec2: 2, rsa: 3 } as const;
const P256 = 1;
/** The algorithms of passkeys, preferred first (RFC 9053 §2.1 and RFC 8812 §2). */
export const COSE_ALGORITHMS = { ES256: -7, RS256: -257 } as const;

const COORDINATE_BYTES = 32;
/** Larger keys make a verification slow enough for an attack. */
const RSA_BITS = { min: 2048, max: 4096 };
const MAX_RSA_EXPONENT_BYTES = 4;

/** A public key of a passkey, ready to verify with. */
export interface CosePublicKey {
  readonly algorithm: keyof typeof COSE_ALGORITHMS;
  readonly key: KeyObject;
  readonly numbers: CoseNumbers;
  /** As {@link encodeCoseKey} encodes it (RFC 8949 §4.2.1). */
  readonly canonical: Uint8Array;
}

/** What a public key is made of, as unsigned big-endian numbers. */
export type CoseNumbers =
  | { readonly algorithm: "ES256"; readonly x: Uint8Array; readonly y: Uint8Array }
  | { readonly algorithm: "RS256"; readonly n: Uint8Array; readonly e: Uint8Array };

type Members = ReadonlyMap<unknown, CBORType>;

/** The COSE_Key of a public key, with the members of its kind and no others, in deterministic encoding. */
export function encodeCoseKey(numbers: CoseNumbers): Uint8Array {
  const alg: [number, CBORType] = [LABELS.alg, COSE_ALGORITHMS[numbers.algorithm]];
  return encodeCbor(
    numbers.algorithm === "ES256"
      ? new Map<number, CBORType>([
          [LABELS.kty, KEY_TYPES.ec2],
          alg,
          [LABELS.crv, P256],
          [LABELS.x, numbers.x],
          [LABELS.y, numbers.y],
        ])
      : new Map<number, CBORType>([
          [LABELS.kty, KEY_TYPES.rsa],
          alg,
          [LABELS.n, numbers.n],
          [LABELS.e, numbers.e],
        ]),
  );
}

/**
 * Reads a COSE_Key: ES256 on P-256 with both coordinates (WebAuthn L3 §5.8.5), or RS256 with 2048 to 4096 bits and odd
 * modulus and exponent (RFC 8230 §4). Members that its kind does not have are ignored.
 *
 * @throws Error when it is anything else, or the point is not on the curve.
 */
export function importCosePublicKey(encoded: Uint8Array): CosePublicKey {
  const { value: members } = readCbor(encoded);
  if (!(members instanceof Map)) throw new Error("a COSE key is a map");
  switch (members.get(LABELS.alg)) {
    case COSE_ALGORITHMS.ES256:
      return p256Key(members);
    case COSE_ALGORITHMS.RS256:
      return rsaKey(members);
    default:
      throw new Error("the COSE key is neither ES256 nor RS256");
  }
}

/** Verifies a signature by the algorithm of the key. ECDSA signatures are strict DER (WebAuthn L3 §6.5.5). */
export function verifyCoseSignature(
  { algorithm, key }: CosePublicKey,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  return algorithm === "ES256"
    ? verifyP256(key, message, signature)
    : verify("sha256", message, key, signature);
}

function p256Key(members: Members): CosePublicKey {
  const [x, y] = [members.get(LABELS.x), members.get(LABELS.y)];
  if (members.get(LABELS.kty) !== KEY_TYPES.ec2 || members.get(LABELS.crv) !== P256)
    throw new Error("an ES256 key must be on P-256");
  if (!isCoordinate(x) || !isCoordinate(y)) throw new Error("a P-256 key has two coordinates of 32 bytes");
  const key = importP256PublicKey(Uint8Array.of(0x04, ...x, ...y));
  if (key === null) throw new Error("the point is not on P-256");
  const numbers = { algorithm: "ES256", x, y } as const;
  return { algorithm: "ES256", key, numbers, canonical: encodeCoseKey(numbers) };
}

function rsaKey(members: Members): CosePublicKey {
  const [n, e] = [unsigned(members.get(LABELS.n)), unsigned(members.get(LABELS.e))];
  if (members.get(LABELS.kty) !== KEY_TYPES.rsa || n === null || e === null)
    throw new Error("an RS256 key has a modulus and an exponent");
  if (n.length * 8 > RSA_BITS.max || e.length > MAX_RSA_EXPONENT_BYTES)
    throw new Error("the RSA key is too large");
  // With e = 1 every message is its own signature. RSA needs an odd modulus and an odd exponent.
  if (!isOdd(n) || !isOdd(e) || (e.length === 1 && e[0] === 1))
    throw new Error("the RSA key has an even modulus, or an exponent that is even or 1");
  const key = createPublicKey({
    key: { kty: "RSA", n: encodeBase64Url(n), e: encodeBase64Url(e) },
    format: "jwk",
  });
  if ((key.asymmetricKeyDetails?.modulusLength ?? 0) < RSA_BITS.min)
    throw new Error("the RSA key is too small");
  const numbers = { algorithm: "RS256", n, e } as const;
  return { algorithm: "RS256", key, numbers, canonical: encodeCoseKey(numbers) };
}

function isCoordinate(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length === COORDINATE_BYTES;
}

/** A number in as few bytes as it takes; some authenticators write leading zeros. */
function unsigned(value: unknown): Uint8Array | null {
  if (!(value instanceof Uint8Array)) return null;
  const first = value.findIndex((byte) => byte !== 0);
  return first === -1 ? new Uint8Array() : value.subarray(first);
}

function isOdd(number: Uint8Array): boolean {
  return (number.at(-1) ?? 0) % 2 === 1;
}
