/** Signatures and keys encoded in ways that a lenient reader takes and a strict one does not. */
import { p256 } from "@noble/curves/nist.js";

const { Point } = p256;
const ORDER = Point.Fn.ORDER;

export interface SignatureValue {
  readonly r: bigint;
  readonly s: bigint;
}

/** Reads base64 of a DER signature. */
export function signatureValue(signature: string): SignatureValue {
  const { r, s } = p256.Signature.fromBytes(Buffer.from(signature, "base64"), "der");
  return { r, s };
}

/** Strict DER of a signature in base64, whatever the values are. */
export function der({ r, s }: SignatureValue): string {
  return derOf(integer(r), integer(s));
}

/** DER of a sequence of these two integers' contents in base64. */
export function derOf(r: Buffer, s: Buffer): string {
  const contents = Buffer.concat([Buffer.from([0x02, r.length]), r, Buffer.from([0x02, s.length]), s]);
  return Buffer.concat([Buffer.from([0x30, contents.length]), contents]).toString("base64");
}

/** The contents of a DER integer: big-endian, as short as can be, the top bit clear. */
export function integer(value: bigint): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  return (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes;
}

/** The other signature with the same r: n - s. */
export function otherS(signature: string, order = ORDER): string {
  const { r, s } = signatureValue(signature);
  return der({ r, s: order - s });
}

/** Whether s is in the upper half. */
export function isHighS(signature: string): boolean {
  return signatureValue(signature).s > ORDER / 2n;
}

/**
 * A P-256 key and its signature over a challenge in 8 bytes, the shortest that DER has: r is the smallest x on the
 * curve, s is 1, and the key is what they belong to, `Q = (s·R - z·G) / r` (SEC 1 §4.1.6).
 */
export function shortestSignature(challenge: string): {
  readonly publicKey: string;
  readonly signature: string;
} {
  const hash = new Bun.CryptoHasher("sha256").update(Buffer.from(challenge, "base64")).digest("hex");
  const { Fn } = Point;
  const z = Fn.create(BigInt(`0x${hash}`));
  for (let r = 1n; ; r++) {
    const R = pointAt(r);
    if (R === null) continue;
    const inverse = Fn.inv(r);
    const Q = R.multiply(inverse).subtract(Point.BASE.multiply(Fn.mul(z, inverse)));
    return { publicKey: Buffer.from(Q.toBytes(false)).toString("base64"), signature: der({ r, s: 1n }) };
  }
}

function pointAt(x: bigint) {
  try {
    return Point.fromHex(`02${x.toString(16).padStart(64, "0")}`);
  } catch {
    return null; // no point has this x
  }
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Sets a bit behind the last byte that base64 with padding says nothing with. */
export function withStrayBit(base64: string): string {
  const text = base64.replace(/=+$/, "");
  const last = text.at(-1) ?? "";
  return text.slice(0, -1) + ALPHABET[ALPHABET.indexOf(last) ^ 1] + base64.slice(text.length);
}

export function toUrlAlphabet(base64: string): string {
  return base64.replaceAll("+", "-").replaceAll("/", "_");
}

/** Base64 of these bytes after a change. */
export function changed(base64: string, change: (bytes: Buffer) => Uint8Array): string {
  return Buffer.from(change(Buffer.from(base64, "base64"))).toString("base64");
}
