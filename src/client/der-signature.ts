const SEQUENCE = 0x30;
const INTEGER = 0x02;

/**
 * The DER form (RFC 3279 §2.2.3) of an ECDSA signature for a curve of 256 bits.
 *
 * @param signature r and s, 32 bytes each, as WebCrypto makes it.
 */
export function derSignature(signature: Uint8Array): Uint8Array {
  const integers = [...derInteger(signature.subarray(0, 32)), ...derInteger(signature.subarray(32))];
  return Uint8Array.of(SEQUENCE, integers.length, ...integers);
}

/** The shortest form of a positive integer: no leading zeros, but for one where the first bit would be a sign. */
function derInteger(bytes: Uint8Array): number[] {
  const first = bytes.findIndex((byte) => byte !== 0);
  const magnitude = [...bytes.subarray(first)];
  const value = (magnitude[0] ?? 0) < 0x80 ? magnitude : [0, ...magnitude];
  return [INTEGER, value.length, ...value];
}
