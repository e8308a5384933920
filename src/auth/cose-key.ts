import { createPublicKey, type KeyObject } from "node:crypto";
import { cose, isoCBOR } from "@simplewebauthn/server/helpers";
import { importP256PublicKey } from "../crypto/ecdsa.ts";
import { encodeBase64Url } from "../crypto/encoding.ts";

const { COSEALG, COSECRV, COSEKEYS, COSEKTY } = cose;
const COORDINATE_BYTES = 32;
/** Beyond these a verification takes long enough to be worth an attack. */
const RSA_BITS = { min: 2048, max: 4096 };
const MAX_RSA_EXPONENT_BYTES = 4;

/** A public key of a passkey, ready to verify with. */
export interface CosePublicKey {
  readonly algorithm: "ES256" | "RS256";
  readonly key: KeyObject;
}

/**
 * Reads a COSE_Key (RFC 9052 §7): ES256 on P-256 with both coordinates (WebAuthn L3 §5.8.5), or RS256 with 2048 to
 * 4096 bits (RFC 8230 §4).
 *
 * @throws Error when it is anything else, or the point is not on the curve.
 */
export function importCosePublicKey(encoded: Uint8Array): CosePublicKey {
  const members: unknown = isoCBOR.decodeFirst(new Uint8Array(encoded));
  if (!(members instanceof Map)) throw new Error("a COSE key is a map");
  switch (members.get(COSEKEYS.alg)) {
    case COSEALG.ES256:
      return { algorithm: "ES256", key: p256Key(members) };
    case COSEALG.RS256:
      return { algorithm: "RS256", key: rsaKey(members) };
    default:
      throw new Error("the COSE key is neither ES256 nor RS256");
  }
}

function p256Key(members: ReadonlyMap<unknown, unknown>): KeyObject {
  const [x, y] = [members.get(COSEKEYS.x), members.get(COSEKEYS.y)];
  if (members.get(COSEKEYS.kty) !== COSEKTY.EC2 || members.get(COSEKEYS.crv) !== COSECRV.P256)
    throw new Error("an ES256 key must be on P-256");
  if (!isCoordinate(x) || !isCoordinate(y)) throw new Error("a P-256 key has two coordinates of 32 bytes");
  const key = importP256PublicKey(Uint8Array.of(0x04, ...x, ...y));
  if (key === null) throw new Error("the point is not on P-256");
  return key;
}

function rsaKey(members: ReadonlyMap<unknown, unknown>): KeyObject {
  const [n, e] = [members.get(COSEKEYS.n), members.get(COSEKEYS.e)];
  if (members.get(COSEKEYS.kty) !== COSEKTY.RSA || !(n instanceof Uint8Array) || !(e instanceof Uint8Array))
    throw new Error("an RS256 key has a modulus and an exponent");
  if (n.length * 8 > RSA_BITS.max || e.length > MAX_RSA_EXPONENT_BYTES)
    throw new Error("the RSA key is too large");
  const key = createPublicKey({
    key: { kty: "RSA", n: encodeBase64Url(n), e: encodeBase64Url(e) },
    format: "jwk",
  });
  if ((key.asymmetricKeyDetails?.modulusLength ?? 0) < RSA_BITS.min)
    throw new Error("the RSA key is too small");
  return key;
}

function isCoordinate(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length === COORDINATE_BYTES;
}
