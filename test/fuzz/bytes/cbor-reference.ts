/** CBOR (RFC 8949) read by other code than the service's: as far as WebAuthn uses it, in the shortest form. */
export type CborItem =
  | number
  | string
  | boolean
  | null
  | undefined
  | Uint8Array
  | CborItem[]
  | CborMap
  | Tagged;
export type CborMap = Map<string | number, CborItem>;
export interface Tagged {
  readonly tag: number;
  readonly value: CborItem;
}

class NoCbor extends Error {}

/** The item at the start, with its length; `null` where there is none. */
export function referenceCbor(
  bytes: Uint8Array,
): { readonly value: CborItem; readonly length: number } | null {
  let at = 0;
  try {
    const value = item();
    return { value, length: at };
  } catch (error) {
    if (error instanceof NoCbor) return null;
    throw error;
  }

  function take(count: number): Uint8Array {
    if (count > bytes.length - at) throw new NoCbor();
    at += count;
    return bytes.subarray(at - count, at);
  }

  function argument(info: number): number {
    if (info < 24) return info;
    if (info > 27) throw new NoCbor();
    const width = 1 << (info - 24);
    const value = take(width).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
    // like the library: a number that fits into the first byte has no longer form, and each is exact as a double
    if (value < 24n || value > BigInt(Number.MAX_SAFE_INTEGER)) throw new NoCbor();
    return Number(value);
  }

  function item(): CborItem {
    const initial = take(1)[0] ?? 0;
    const info = initial & 0x1f;
    switch (initial >> 5) {
      case 0:
        return argument(info);
      case 1:
        return -argument(info) - 1;
      case 2:
        return take(argument(info)).slice();
      case 3:
        return new TextDecoder().decode(take(argument(info)));
      case 4:
        return items(argument(info));
      case 5:
        return members(argument(info));
      case 6:
        return { tag: argument(info), value: item() };
      default:
        return simple(info);
    }
  }

  function items(count: number): CborItem[] {
    const found: CborItem[] = [];
    while (found.length < count) found.push(item());
    return found;
  }

  function members(count: number): CborMap {
    const found: CborMap = new Map();
    while (found.size < count) {
      const key = item();
      if ((typeof key !== "string" && typeof key !== "number") || found.has(key)) throw new NoCbor();
      found.set(key, item());
    }
    return found;
  }

  function simple(info: number): CborItem {
    switch (info) {
      case 20:
        return false;
      case 21:
        return true;
      case 22:
        return null;
      case 23:
        return undefined;
      case 25: {
        const half = viewOf(take(2)).getUint16(0);
        const known = new Map([
          [0x7c00, Number.POSITIVE_INFINITY],
          [0x7e00, Number.NaN],
          [0xfc00, Number.NEGATIVE_INFINITY],
        ]).get(half);
        if (known === undefined) throw new NoCbor(); // the library reads no other ones
        return known;
      }
      case 26:
        return viewOf(take(4)).getFloat32(0);
      case 27:
        return viewOf(take(8)).getFloat64(0);
      default:
        throw new NoCbor();
    }
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
