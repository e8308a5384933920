import { expect, test } from "bun:test";
import { encodeCbor, readCbor } from "../../../src/proofs/passkey/cbor.ts";

test("an item ends where it ends, whatever follows, also within a buffer", () => {
  const bytes = Buffer.concat([Uint8Array.of(0xff), encodeCbor([1, "a"]), Uint8Array.of(0xff, 0xff)]);
  expect(readCbor(bytes.subarray(1))).toEqual({ value: [1, "a"], length: 4 });
});

test("an item that is not there to its end is refused", () => {
  for (const item of [Uint8Array.of(1, 2, 3), "text", [1, 2], new Map([["a", Uint8Array.of(1)]]), 70_000]) {
    const bytes = encodeCbor(item);
    for (let end = 0; end < bytes.length; end++) expect(() => readCbor(bytes.subarray(0, end))).toThrow();
  }
});
