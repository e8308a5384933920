import { describe, expect, test } from "bun:test";
import { sign } from "node:crypto";
import type { CBORType } from "@levischuck/tiny-cbor";
import { encodeCbor } from "../../../src/proofs/passkey/cbor.ts";
import {
  encodeCoseKey,
  importCosePublicKey,
  verifyCoseSignature,
} from "../../../src/proofs/passkey/cose-key.ts";
import { newKeys } from "../../support/software-authenticator.ts";

const P256 = newKeys("ES256");
const RSA = newKeys("RS256");
const bytesOf = (text: string | undefined) => new Uint8Array(Buffer.from(text ?? "", "base64url"));
const { x, y } = P256.publicKey.export({ format: "jwk" });
const { n, e } = RSA.publicKey.export({ format: "jwk" });
const [X, Y, N, E] = [bytesOf(x), bytesOf(y), bytesOf(n), bytesOf(e)] as const;

/** COSE_Keys (RFC 9052 §7) with other members than they should have. */
const p256Key = (...changes: [number, CBORType][]) =>
  encoded([1, 2], [3, -7], [-1, 1], [-2, X], [-3, Y], ...changes);
const rsaKey = (...changes: [number, CBORType][]) => encoded([1, 3], [3, -257], [-1, N], [-2, E], ...changes);

function encoded(...members: [number, CBORType][]): Uint8Array {
  return encodeCbor(new Map<string | number, CBORType>(members));
}

/** A number of so many bytes, which is odd. */
const odd = (bytes: number) => new Uint8Array(bytes).fill(0xff);

describe("a COSE key", () => {
  test("of ES256 has two coordinates", () => {
    const { algorithm, numbers, canonical } = importCosePublicKey(p256Key());
    expect({ algorithm, numbers }).toEqual({
      algorithm: "ES256",
      numbers: { algorithm: "ES256", x: X, y: Y },
    });
    expect(canonical).toEqual(p256Key());
  });

  test("of RS256 has a modulus of 2048 to 4096 bits, and an exponent of up to 4 bytes", () => {
    for (const [modulus, exponent] of [
      [N, E],
      [odd(256), Uint8Array.of(3)],
      [odd(512), Uint8Array.of(1, 0, 0, 1)],
      [odd(257), Uint8Array.of(1, 1)],
    ] as const) {
      const { algorithm, numbers } = importCosePublicKey(rsaKey([-1, modulus], [-2, exponent]));
      const expected = { algorithm: "RS256", n: modulus, e: exponent } as const;
      expect({ algorithm, numbers }).toEqual({ algorithm: "RS256", numbers: expected });
      expect(importCosePublicKey(encodeCoseKey(expected)).numbers).toEqual(expected);
    }
  });

  const curve = "an ES256 key must be on P-256";
  const coordinates = "a P-256 key has two coordinates of 32 bytes";
  const rsa = "an RS256 key has a modulus and an exponent";
  const weak = "the RSA key has an even modulus, or an exponent that is even or 1";
  test.each<[string, Uint8Array, string]>([
    ["is a list", encodeCbor([1, 2]), "a COSE key is a map"],
    ["has another algorithm", p256Key([3, -8]), "the COSE key is neither ES256 nor RS256"],
    ["is of RSA by its type alone", p256Key([1, 3]), curve],
    ["is on another curve", p256Key([-1, 2]), curve],
    ["has no x", p256Key([-2, null]), coordinates],
    ["has no y", p256Key([-3, null]), coordinates],
    ["has a list as x", p256Key([-2, [...X]]), coordinates],
    ["has a list as y", p256Key([-3, [...Y]]), coordinates],
    ["has a byte of x in y", p256Key([-2, X.slice(0, 31)], [-3, joined(X.slice(31), Y)]), coordinates],
    ["has a byte of y in x", p256Key([-2, joined(X, Y.slice(0, 1))], [-3, Y.slice(1)]), coordinates],
    ["is not on the curve", p256Key([-3, odd(32)]), "the point is not on P-256"],
    ["is of ES256 by its type alone", rsaKey([1, 2]), rsa],
    ["has no modulus", rsaKey([-1, null]), rsa],
    ["has no exponent", rsaKey([-2, null]), rsa],
    ["has a modulus of 4104 bits", rsaKey([-1, odd(513)]), "the RSA key is too large"],
    ["has an exponent of 5 bytes", rsaKey([-2, odd(5)]), "the RSA key is too large"],
    ["has a modulus of 2040 bits", rsaKey([-1, odd(255)]), "the RSA key is too small"],
    ["has an even modulus", rsaKey([-1, joined(odd(255), Uint8Array.of(2))]), weak],
    ["has an even exponent", rsaKey([-2, Uint8Array.of(1, 0, 0)]), weak],
    ["has the exponent 1", rsaKey([-2, Uint8Array.of(0, 1)]), weak],
    ["has the modulus 0", rsaKey([-1, new Uint8Array(256)]), weak],
  ])("is refused where it %s", (_, key, reason) => {
    expect(() => importCosePublicKey(key)).toThrow(reason);
  });

  function joined(one: Uint8Array, other: Uint8Array): Uint8Array {
    return new Uint8Array([...one, ...other]);
  }
});

describe("a signature", () => {
  const message = Uint8Array.of(1, 2, 3);

  test("verifies by the algorithm of the key, over this message", () => {
    for (const [key, privateKey] of [
      [importCosePublicKey(p256Key()), P256.privateKey],
      [importCosePublicKey(rsaKey()), RSA.privateKey],
    ] as const) {
      const signature = sign("sha256", message, privateKey);
      expect(verifyCoseSignature(key, message, signature)).toBe(true);
      expect(verifyCoseSignature(key, Uint8Array.of(1, 2), signature)).toBe(false);
      expect(verifyCoseSignature(key, message, sign("sha512", message, privateKey))).toBe(false);
    }
  });

  test("of ES256 is strict DER, as WebAuthn asks for", () => {
    const key = importCosePublicKey(p256Key());
    const options = { key: P256.privateKey, dsaEncoding: "ieee-p1363" } as const;
    expect(verifyCoseSignature(key, message, sign("sha256", message, options))).toBe(false);
    const der = sign("sha256", message, P256.privateKey);
    const longLength = Buffer.concat([Uint8Array.of(0x30, 0x81), der.subarray(1)]);
    const trailing = Buffer.concat([der, Uint8Array.of(0)]);
    for (const other of [longLength, trailing]) expect(verifyCoseSignature(key, message, other)).toBe(false);
  });
});
