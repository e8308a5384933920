import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { storedKey } from "../../src/storage/stored-key.ts";

const hashed = (key: string) =>
  `SHA-256|${createHash("sha256").update(Buffer.from(key, "utf16le")).digest("hex")}`;

describe("the stored form of a key", () => {
  test.each(["", "PK|id", "é", "📱"])("%p is the key itself", (key) => {
    expect(storedKey(key)).toBe(key);
    expect(storedKey(key, Buffer.byteLength(key))).toBe(key);
  });

  test.each(["PK|id", "é", "📱"])("%p is a hash where it is a byte too long", (key) => {
    expect(storedKey(key, Buffer.byteLength(key) - 1)).toBe(hashed(key));
  });

  test.each(["\ud800", "a\udc00", "SHA-256|", `SHA-256|${"0".repeat(64)}`])("%p is a hash", (key) => {
    expect(storedKey(key)).toBe(hashed(key));
  });

  test("is the one that has been stored", () => {
    expect(storedKey("SHA-256|")).toBe(
      "SHA-256|9d154172da9e1635827e3118534817f2a9dd2147d239dd7c1a2ce1969ec5d3b5",
    );
  });
});
