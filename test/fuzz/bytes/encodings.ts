/** Base64 in its two alphabets, and hex: only the canonical form of RFC 4648 is read. */
import {
  decodeBase64,
  decodeBase64Url,
  decodeHex,
  encodeBase64,
  encodeBase64Url,
  encodeHex,
} from "../../../src/crypto/encoding.ts";
import { ACCEPTED, bytesOf, requireThat, type Target, textOf } from "./target.ts";

interface Encoding {
  readonly decode: (text: string) => Uint8Array | null;
  readonly encode: (bytes: Uint8Array) => string;
  readonly alphabet: string;
  readonly isPadded: boolean;
}

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

export const ENCODINGS: Readonly<Record<string, Encoding>> = {
  base64: { decode: decodeBase64, encode: encodeBase64, alphabet: `${LETTERS}+/`, isPadded: true },
  base64url: { decode: decodeBase64Url, encode: encodeBase64Url, alphabet: `${LETTERS}-_`, isPadded: false },
  hex: {
    decode: decodeHex,
    encode: (bytes) => encodeHex(bytes).toUpperCase(),
    alphabet: "0123456789ABCDEF",
    isPadded: false,
  },
};

const CORPUS = bytesOf(
  "",
  "AA==",
  "AAA=",
  "AAAA",
  "QUJD",
  "aGVsbG8=",
  "_-8",
  "+/8=",
  "00ff",
  "A0B1C2",
  "//79",
);
/** Besides edges of the alphabets: what lenient decoders skip, and characters whose low byte is in an alphabet. */
const DICTIONARY = bytesOf("=", "==", "+", "/", "-", "_", "\n", " ", "š", "ａ", "\u0141", "A", "AB==", "AB");

export function encodingTarget(name: string, encoding: Encoding): Target {
  const bits = Math.log2(encoding.alphabet.length);
  return {
    name,
    corpus: CORPUS,
    dictionary: DICTIONARY,
    generate: (dice) => {
      const bytes = Uint8Array.from({ length: dice.below(40) }, () => dice.below(256));
      return Buffer.from(encoding.encode(bytes));
    },
    run(input) {
      const text = textOf(input);
      const decoded = encoding.decode(text);
      const expected = reference(bits === 4 ? text.toUpperCase() : text, bits, encoding);
      if (bits === 4 && /[^0-9a-f]/i.test(text)) requireThat(decoded === null, "read other characters");
      else requireThat(isSame(decoded, expected), "differs from the reference");
      if (decoded === null) return "refused";
      const again = encoding.encode(decoded);
      requireThat(again === text || again === text.toUpperCase(), "is not encoded as it was");
      return ACCEPTED;
    },
  };
}

/** Decodes bit by bit. */
function reference(text: string, bits: number, { alphabet, isPadded }: Encoding): Uint8Array | null {
  const padding = /=*$/.exec(text)?.[0].length ?? 0;
  const digits = text.slice(0, text.length - padding);
  const bytes: number[] = [];
  let held = 0;
  let heldBits = 0;
  for (const character of digits) {
    const value = alphabet.indexOf(character);
    if (value === -1) return null;
    held = ((held << bits) | value) & 0xfff;
    heldBits += bits;
    if (heldBits < 8) continue;
    heldBits -= 8;
    bytes.push((held >> heldBits) & 0xff);
  }
  const isWhole = heldBits < bits && (held & ((1 << heldBits) - 1)) === 0;
  const needed = isPadded ? (4 - (digits.length % 4)) % 4 : 0;
  return isWhole && padding === needed ? Uint8Array.from(bytes) : null;
}

function isSame(one: Uint8Array | null, other: Uint8Array | null): boolean {
  return one === null || other === null ? one === other : Buffer.compare(one, other) === 0;
}
