import { describe, expect, test } from "bun:test";
import {
  decodeBase64,
  decodeBase64Url,
  decodeHex,
  encodeBase64,
  encodeBase64Url,
  encodeHex,
  sha256,
} from "../../src/crypto/encoding.ts";

describe("hex", () => {
  test("is decoded in either case", () => {
    expect(decodeHex("00fFa1")).toEqual(Buffer.from([0x00, 0xff, 0xa1]));
    expect(decodeHex("")).toEqual(Buffer.from([]));
  });

  test.each(["0", "0g", "g0", "00 ", "0x00", "00\n", "\u0161\u0161", "\uff41\uff41", "\u{1f600}"])(
    "is not %j",
    (text) => {
      expect(decodeHex(text)).toBeNull();
    },
  );
});

/** The vectors of RFC 4648 §10, and bytes in which the alphabets differ. */
const BASE64: [Uint8Array, string][] = [
  [Buffer.from(""), ""],
  [Buffer.from("f"), "Zg=="],
  [Buffer.from("fo"), "Zm8="],
  [Buffer.from("foo"), "Zm9v"],
  [Buffer.from("foob"), "Zm9vYg=="],
  [Buffer.from("fooba"), "Zm9vYmE="],
  [Buffer.from("foobar"), "Zm9vYmFy"],
  [Buffer.from([0xfb, 0xff, 0xfe]), "+//+"],
];
const urlForm = (base64: string) => base64.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

test.each(BASE64)("%j is %j in base64, and in base64url", (bytes, base64) => {
  expect(encodeBase64(bytes)).toBe(base64);
  expect(decodeBase64(base64)).toEqual(Buffer.from(bytes));
  expect(encodeBase64Url(bytes)).toBe(urlForm(base64));
  expect(decodeBase64Url(urlForm(base64))).toEqual(Buffer.from(bytes));
});

test.each(["Zg", "Zg=", "Zh==", "Zg==\n", " Zg==", "Zg==Zg==", "-__-", "Zm9v!", "="])(
  "%j is not base64",
  (text) => {
    expect(decodeBase64(text)).toBeNull();
  },
);

test.each(["Zg==", "Zh", "Z", "Zg\n", " Zg", "+//+", "Zm9v!", "="])("%j is not base64url", (text) => {
  expect(decodeBase64Url(text)).toBeNull();
});

test("SHA-256 of bytes and of a text are those of FIPS 180-4", () => {
  const expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  expect(encodeHex(sha256("abc"))).toBe(expected);
  expect(encodeHex(sha256(Buffer.from("abc")))).toBe(expected);
});
