/** CBOR (RFC 8949), as far as WebAuthn uses it. */
import { type CBORType, decodePartialCBOR, encodeCBOR } from "@levischuck/tiny-cbor";

/**
 * Reads the data item at the start of `bytes`. `length` is the number of bytes that it takes there, which is not always
 * the length of its shortest encoding.
 *
 * @throws Error when there is no whole item.
 */
export function readCbor(bytes: Uint8Array): { readonly value: CBORType; readonly length: number } {
  // The library reads the whole buffer behind a view, so it gets a buffer with nothing else in it.
  const [value, length] = decodePartialCBOR(new Uint8Array(bytes), 0);
  if (length > bytes.length) throw new Error("a CBOR item goes beyond its end");
  return { value, length };
}

/** The shortest encoding, with the members of a map in the order of the map. */
export function encodeCbor(value: CBORType): Uint8Array {
  return encodeCBOR(value);
}
