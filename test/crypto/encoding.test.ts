import { describe, expect, test } from "bun:test";
import { decodeHex } from "../../src/crypto/encoding.ts";

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
