/** CBOR, and what WebAuthn encodes in it: public keys, authenticator data and attestation objects. */

import { readCbor } from "../../../src/proofs/passkey/cbor.ts";
import { referenceCbor } from "./cbor-reference.ts";
import { ACCEPTED, Broken, bytesOf, type Dice, kindOf, requireThat, type Target } from "./target.ts";

export const CBOR_DICTIONARY: readonly Uint8Array[] = [
  ...["f4", "f6", "f7", "f90000", "f97e00", "fa00000000", "fb0000000000000000", "ff", "5f", "7f", "9f", "bf"],
  ...["1817", "1818", "190001", "1b001fffffffffffff", "1b0020000000000000", "3bffffffffffffffff"],
  ...["58", "5820", "590100", "5affffffff", "5bffffffffffffffff", "9bffffffffffffffff", "bbffffffffffffffff"],
  ...["a0", "a1", "a5", "80", "81", "c0", "d818", "60", "40"],
].map((hex) => Buffer.from(hex, "hex"));

/** An item of random shape, with lengths that are mostly right. */
export function randomCbor(dice: Dice, depth = 0): Uint8Array {
  switch (dice.below(depth > 4 ? 5 : 8)) {
    case 0:
      return head(0, dice.below(dice.oneIn(2) ? 30 : 70_000), dice);
    case 1:
      return head(1, dice.below(300), dice);
    case 2: {
      const length = dice.below(dice.oneIn(3) ? 300 : 33);
      return Buffer.concat([head(2, length, dice), Buffer.alloc(length, dice.below(256))]);
    }
    case 3: {
      const text = dice.of(["fmt", "attStmt", "authData", "none", "packed", "alg", "sig", "x5c", "é", ""]);
      return Buffer.concat([head(3, Buffer.byteLength(text), dice), Buffer.from(text)]);
    }
    case 4:
      return dice.of([
        Buffer.of(0xf4),
        Buffer.of(0xf6),
        Buffer.of(0xfa, 1, 2, 3, 4),
        Buffer.of(0xf9, 0x7e, 0),
      ]);
    case 5:
      return Buffer.concat([head(6, dice.below(300), dice), randomCbor(dice, depth + 1)]);
    case 6: {
      const count = dice.below(4);
      const items = Array.from({ length: count }, () => randomCbor(dice, depth + 1));
      return Buffer.concat([head(4, count, dice), ...items]);
    }
    default: {
      const count = dice.below(6);
      const members = Array.from({ length: count }, () => [
        head(dice.below(2), dice.below(30), dice),
        randomCbor(dice, depth + 1),
      ]);
      return Buffer.concat([head(5, count, dice), ...members.flat()]);
    }
  }
}

/** Now and then a longer form, or another number, than it should be. */
function head(major: number, argument: number, dice: Dice): Uint8Array {
  const value = dice.oneIn(32) ? dice.below(2 ** 31) : argument;
  const width = dice.oneIn(32) ? dice.below(4) : value < 24 ? 0 : value < 256 ? 1 : value < 65_536 ? 2 : 3;
  const info = [value % 24, 24, 25, 26][width] ?? 0;
  const bytes = Buffer.alloc(width === 3 ? 5 : width + 1);
  bytes[0] = (major << 5) | info;
  if (width === 1) bytes[1] = value;
  if (width === 2) bytes.writeUInt16BE(value & 0xffff, 1);
  if (width === 3) bytes.writeUInt32BE(value, 1);
  return bytes;
}

export function cborTarget(read = readCbor): Target {
  return {
    name: "CBOR",
    corpus: [...bytesOf("a", "\u0000"), ...CBOR_DICTIONARY],
    dictionary: CBOR_DICTIONARY,
    generate: randomCbor,
    run(input) {
      const expected = referenceCbor(input);
      const found = readOrReason(read, input);
      if (typeof found === "string") {
        requireThat(expected === null, `refused what the reference reads: ${found}`);
        return found;
      }
      if (expected === null) throw new Broken("read what the reference refuses");
      requireThat(found.length === expected.length, `took ${found.length} bytes, not ${expected.length}`);
      requireThat(Bun.deepEquals(plain(found.value), expected.value, true), "read another value");
      return ACCEPTED;
    },
  };
}

/** The message of a plain `Error` is the reason of a refusal; any other class is thrown on. */
function readOrReason(read: typeof readCbor, input: Uint8Array) {
  try {
    return read(input);
  } catch (error) {
    if (error instanceof Error && error.constructor === Error) return kindOf(error.message);
    throw error;
  }
}

/** Of the library's classes, those of the reference. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map) return new Map([...value].map(([key, member]) => [key, plain(member)]));
  if (typeof value === "object" && value !== null && "tag" in value && "value" in value)
    return { tag: value.tag, value: plain(value.value) };
  return value;
}
