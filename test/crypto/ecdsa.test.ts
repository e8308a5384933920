/**
 * Signatures and keys at the edges, in the manner of the Wycheproof project: what must be refused is made here, from
 * SEC 1, X.690 (DER) and the curves' own numbers, for both curves.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import fc from "fast-check";
import { importP256PublicKey, verifyP256, verifySecp256k1 } from "../../src/crypto/ecdsa.ts";

type Point = InstanceType<typeof p256.Point>;

interface CurveUnderTest {
  readonly name: string;
  readonly curve: typeof p256;
  /** The spelling of public keys that is due on this curve. */
  readonly encode: (point: Point) => Uint8Array;
  readonly verify: (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;
  readonly takesHighS: boolean;
}

const CURVES: readonly CurveUnderTest[] = [
  {
    name: "P-256",
    curve: p256,
    encode: (point) => point.toBytes(false),
    verify: (publicKey, message, signature) => {
      const key = importP256PublicKey(publicKey);
      return key !== null && verifyP256(key, message, signature);
    },
    takesHighS: true,
  },
  {
    name: "secp256k1",
    curve: secp256k1,
    encode: (point) => point.toBytes(true),
    verify: (publicKey, message, signature) => verifySecp256k1(publicKey, message, signature) === "valid",
    takesHighS: false,
  },
];

const MESSAGE = Buffer.from("the challenge that was handed out");
const HASH = BigInt(`0x${createHash("sha256").update(MESSAGE).digest("hex")}`);

let refused = 0;
afterAll(() => {
  process.stdout.write(`${refused} signatures and keys at the edges were refused\n`);
});

describe.each(CURVES)("ECDSA on $name", ({ curve, encode, verify, takesHighS }) => {
  const { Point } = curve;
  const { Fn, Fp } = Point;
  const n = Fn.ORDER;
  const privateKey = Buffer.alloc(32, 0x5a);
  const publicKey = encode(Point.BASE.multiply(Fn.fromBytes(privateKey)));
  const { r, s } = curve.Signature.fromBytes(curve.sign(MESSAGE, privateKey, { lowS: true }), "compact");
  const [R, S] = [integer(r), integer(s)];

  /** The point with this x and an even y, if there is one. */
  const pointAt = (x: bigint): Point | null => {
    try {
      return Point.fromBytes(Buffer.concat([Buffer.of(2), fixed(x)]));
    } catch {
      return null;
    }
  };
  /** The first point at or after `x`. */
  const pointFrom = (x: bigint): { readonly x: bigint; readonly point: Point } => {
    for (let candidate = x; ; candidate++) {
      const point = pointAt(candidate);
      if (point !== null) return { x: candidate, point };
    }
  };
  /** The key for which (r, s) is the signature with the nonce point R: Q = (s·R - z·G) / r (SEC 1 §4.1.6). */
  const keyFor = (noncePoint: Point, r: bigint, s: bigint): Point =>
    noncePoint
      .multiply(s)
      .add(Point.BASE.multiply(Fn.create(HASH)).negate())
      .multiply(Fn.inv(Fn.create(r)));

  const refuse = (what: string, signature: Uint8Array, key = publicKey, message: Uint8Array = MESSAGE) => {
    const accepted = verify(key, message, signature) ? what : null;
    expect(accepted).toBeNull();
    refused++;
  };

  test("takes the signature that the rest is made from", () => {
    expect(verify(publicKey, MESSAGE, der(R, S))).toBe(true);
  });

  test("refuses values of r and s outside 1..n-1", () => {
    const outside = {
      zero: 0n,
      n,
      "n + 1": n + 1n,
      "the prime": Fp.ORDER,
      "the prime + 1": Fp.ORDER + 1n,
      "2^256 - 1": 2n ** 256n - 1n,
      "2^256": 2n ** 256n,
    };
    for (const [name, value] of Object.entries({ ...outside, "r + n": r + n }))
      refuse(`r = ${name}`, der(integer(value), S));
    for (const [name, value] of Object.entries({ ...outside, "s + n": s + n }))
      refuse(`s = ${name}`, der(R, integer(value)));
    for (const a of [0n, 1n, n]) for (const b of [0n, n]) refuse(`(${a}, ${b})`, der(integer(a), integer(b)));
  });

  test("refuses negative integers", () => {
    for (const value of [-1n, -r, -s, r - n, s - n, -(2n ** 255n)]) {
      refuse(`r = ${value}`, der(twosComplement(value), S));
      refuse(`s = ${value}`, der(R, twosComplement(value)));
    }
  });

  test("refuses other values than the signature's", () => {
    for (const other of [1n, 2n, r + 1n, r - 1n, n - r, n - 1n, s])
      refuse(`r = ${other}`, der(integer(other), S));
    for (const other of [1n, 2n, s + 1n, s - 1n, n - 1n, r]) refuse(`s = ${other}`, der(R, integer(other)));
    refuse("r and s the other way round", der(S, R));
  });

  test("refuses the signature with one bit changed, wherever it is", () => {
    const genuine = der(R, S);
    for (let bit = 0; bit < genuine.length * 8; bit++)
      refuse(
        `bit ${bit}`,
        genuine.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte)),
      );
  });

  test("refuses another message and another key", () => {
    for (const message of [Buffer.of(), Buffer.concat([MESSAGE, Buffer.of(0)]), MESSAGE.subarray(1)])
      refuse("another message", der(R, S), publicKey, message);
    refuse(
      "its hash instead of the message",
      der(R, S),
      publicKey,
      createHash("sha256").update(MESSAGE).digest(),
    );
    for (const scalar of [1n, 2n, n - 1n, n - Fn.fromBytes(privateKey)])
      refuse("another key", der(R, S), encode(Point.BASE.multiply(scalar)));
  });

  test("refuses integers that are longer than need be", () => {
    for (const padding of [[0], [0, 0], [0xff], [0, 0, 0, 0]]) {
      const pad = (content: Uint8Array) => Buffer.concat([Buffer.from(padding), content]);
      for (const [name, a, b] of [
        ["r", pad(R), S],
        ["s", R, pad(S)],
        ["both", pad(R), pad(S)],
      ] as const)
        refuse(`${padding} before ${name}`, der(a, b));
    }
  });

  test("refuses what is BER but not DER", () => {
    const body = Buffer.concat([tlv(0x02, R), tlv(0x02, S)]);
    const long = (content: Uint8Array, ...prefix: number[]) => Buffer.concat([Buffer.from(prefix), content]);
    const spellings: Record<string, Uint8Array> = {
      "sequence length in long form": long(body, 0x30, 0x81, body.length),
      "sequence length in two bytes": long(body, 0x30, 0x82, 0, body.length),
      "sequence length in four bytes": long(body, 0x30, 0x84, 0, 0, 0, body.length),
      "sequence length in five bytes": long(body, 0x30, 0x85, 0, 0, 0, 0, body.length),
      "indefinite length": Buffer.concat([Buffer.of(0x30, 0x80), body, Buffer.of(0, 0)]),
      "indefinite length without an end": long(body, 0x30, 0x80),
      "reserved length": long(body, 0x30, 0xff),
      "r's length in long form": tlv(0x30, Buffer.concat([long(R, 0x02, 0x81, R.length), tlv(0x02, S)])),
      "s's length in long form": tlv(0x30, Buffer.concat([tlv(0x02, R), long(S, 0x02, 0x81, S.length)])),
      "r's length in two bytes": tlv(0x30, Buffer.concat([long(R, 0x02, 0x82, 0, R.length), tlv(0x02, S)])),
      "r of indefinite length": tlv(
        0x30,
        Buffer.concat([Buffer.of(0x22, 0x80), tlv(0x02, R), Buffer.of(0, 0), tlv(0x02, S)]),
      ),
      "r in pieces": tlv(0x30, Buffer.concat([tlv(0x22, tlv(0x02, R)), tlv(0x02, S)])),
    };
    for (const [name, signature] of Object.entries(spellings)) refuse(name, signature);
  });

  test("refuses wrong lengths", () => {
    const genuine = der(R, S);
    for (const at of [1, 3, 5 + R.length])
      for (const by of [-33, -2, -1, 1, 2, 60]) {
        const changed = Buffer.from(genuine);
        changed[at] = ((changed[at] ?? 0) + by) & 0xff;
        refuse(`length at ${at} off by ${by}`, changed);
      }
    for (let length = 0; length < genuine.length; length++)
      refuse(`cut to ${length}`, genuine.subarray(0, length));
    for (let start = 1; start < genuine.length; start++) refuse(`cut from ${start}`, genuine.subarray(start));
  });

  test("refuses bytes that do not belong", () => {
    for (const extra of [
      Buffer.of(0),
      Buffer.of(0, 0),
      Buffer.of(0x05, 0),
      Buffer.of(0x02, 0x01, 0x01),
      der(R, S),
    ]) {
      refuse("after the sequence", Buffer.concat([der(R, S), extra]));
      refuse("before the sequence", Buffer.concat([extra, der(R, S)]));
      refuse("at the end of the sequence", tlv(0x30, Buffer.concat([tlv(0x02, R), tlv(0x02, S), extra])));
      refuse("between r and s", tlv(0x30, Buffer.concat([tlv(0x02, R), extra, tlv(0x02, S)])));
      refuse("at the start of the sequence", tlv(0x30, Buffer.concat([extra, tlv(0x02, R), tlv(0x02, S)])));
    }
  });

  test("refuses wrong tags", () => {
    for (let tag = 0; tag < 256; tag++) {
      if (tag !== 0x30) refuse(`sequence ${tag}`, tlv(tag, Buffer.concat([tlv(0x02, R), tlv(0x02, S)])));
      if (tag === 0x02) continue;
      refuse(`r ${tag}`, tlv(0x30, Buffer.concat([tlv(tag, R), tlv(0x02, S)])));
      refuse(`s ${tag}`, tlv(0x30, Buffer.concat([tlv(0x02, R), tlv(tag, S)])));
    }
  });

  test("refuses what is another structure altogether", () => {
    const none = Buffer.of();
    const others: Record<string, Uint8Array> = {
      nothing: none,
      NULL: Buffer.of(0x05, 0),
      "an empty sequence": tlv(0x30, none),
      "a sequence of r": tlv(0x30, tlv(0x02, R)),
      "empty integers": der(none, none),
      "an empty r": der(none, S),
      "an empty s": der(R, none),
      "a sequence in a sequence": tlv(0x30, der(R, S)),
      "an OCTET STRING of it": tlv(0x04, der(R, S)),
      "a BIT STRING of it": tlv(0x03, Buffer.concat([Buffer.of(0), der(R, S)])),
      "r and s of fixed length": Buffer.concat([fixed(r), fixed(s)]),
      "r and s of fixed length with recovery": Buffer.concat([Buffer.of(27), fixed(r), fixed(s)]),
      "73 bytes": Buffer.alloc(73, 0x30),
      "64 KiB": Buffer.alloc(65_536, 0x30),
      "its base64": Buffer.from(Buffer.from(der(R, S)).toString("base64")),
      "its hex": Buffer.from(Buffer.from(der(R, S)).toString("hex")),
    };
    for (const [name, signature] of Object.entries(others)) refuse(name, signature);
  });

  test("refuses bytes at random, and never throws", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.uint8Array({ maxLength: 70 }), (signature, key) => {
        expect(verify(publicKey, MESSAGE, signature)).toBe(false);
        expect(verify(key, MESSAGE, der(R, S))).toBe(false);
      }),
    );
  });

  test(`${takesHighS ? "takes" : "refuses"} the other s`, () => {
    expect(s).toBeLessThanOrEqual(n / 2n);
    const high = der(R, integer(n - s));
    if (takesHighS) expect(verify(publicKey, MESSAGE, high)).toBe(true);
    else refuse("n - s", high);
  });

  test("takes the shortest signature that DER has", () => {
    const { x, point } = pointFrom(1n);
    const signature = der(integer(x), integer(1n));
    expect(signature.length).toBe(8);
    expect(verify(encode(keyFor(point, x, 1n)), MESSAGE, signature)).toBe(true);
  });

  test("takes an r whose point has an x above the order", () => {
    const { x, point } = pointFrom(n + 1n);
    expect(verify(encode(keyFor(point, x - n, 1n)), MESSAGE, der(integer(x - n), integer(1n)))).toBe(true);
    refuse("x itself for r", der(integer(x), integer(1n)), encode(keyFor(point, x - n, 1n)));
  });

  test("takes a signature whose verification adds a point to itself", () => {
    const z = Fn.create(HASH);
    for (let k = 2n; k < 20n; k++) {
      const nonceX = Fn.create(Point.BASE.multiply(k).toAffine().x);
      const value = Fn.mul(Fn.add(z, z), Fn.inv(k));
      const low = value > n / 2n ? n - value : value;
      const key = Point.BASE.multiply(Fn.mul(z, Fn.inv(nonceX)));
      expect(verify(encode(key), MESSAGE, der(integer(nonceX), integer(low)))).toBe(true);
    }
  });

  test("refuses a signature whose verification ends at infinity", () => {
    const z = Fn.create(HASH);
    for (const [a, b] of [
      [r, s],
      [1n, 1n],
      [2n, 3n],
      [n - 1n, 1n],
    ] as const)
      refuse(
        "u1·G + u2·Q = O",
        der(integer(a), integer(b)),
        encode(Point.BASE.multiply(Fn.mul(z, Fn.inv(a))).negate()),
      );
  });

  test("refuses every spelling of a public key but the one that is due", () => {
    const point = Point.BASE.multiply(Fn.fromBytes(privateKey));
    const { x, y } = point.toAffine();
    const compressed = point.toBytes(true);
    const uncompressed = point.toBytes(false);
    const small = pointFrom(1n);
    const spelling = (prefix: number, ...coordinates: bigint[]) =>
      Buffer.concat([Buffer.of(prefix), ...coordinates.map(fixed)]);
    const keys: Record<string, Uint8Array> = {
      nothing: Buffer.of(),
      infinity: Buffer.of(0),
      "infinity in 33 bytes": Buffer.alloc(33),
      "infinity in 65 bytes": Buffer.alloc(65),
      "zero coordinates": spelling(4, 0n, 0n),
      "zero x, compressed": spelling(2, 0n),
      "hybrid of the right parity": spelling(y % 2n === 0n ? 6 : 7, x, y),
      "hybrid of the wrong parity": spelling(y % 2n === 0n ? 7 : 6, x, y),
      "prefix 5": spelling(5, x, y),
      "prefix 4 and one coordinate": spelling(4, x),
      "no prefix": Buffer.concat([fixed(x), fixed(y)]),
      "x alone": fixed(x),
      "x and y the other way round": spelling(4, y, x),
      "the wrong y": spelling(4, x, Fp.ORDER - y),
      "y off by one": spelling(4, x, y + 1n),
      "x off the curve, compressed": spelling(2, xOffCurve()),
      "x at the prime, uncompressed": spelling(4, Fp.ORDER, y),
      "x at the prime, compressed": spelling(2, Fp.ORDER),
      "x above the prime, uncompressed": spelling(4, small.x + Fp.ORDER, small.point.toAffine().y),
      "x above the prime, compressed": spelling(2, small.x + Fp.ORDER),
      "largest coordinates": spelling(4, 2n ** 256n - 1n, 2n ** 256n - 1n),
      "largest x, compressed": spelling(3, 2n ** 256n - 1n),
      "one byte more": Buffer.concat([encode(point), Buffer.of(0)]),
      "one byte less": encode(point).subarray(0, -1),
      "the other form": encode(point).length === 33 ? uncompressed : compressed,
      "the compressed point of the other sign": compressed.with(0, 5 - (compressed[0] ?? 0)),
      "its DER": Buffer.concat([
        Buffer.from("3059301306072a8648ce3d020106082a8648ce3d030107034200", "hex"),
        uncompressed,
      ]),
    };
    const smallSignature = der(integer(small.x), integer(1n));
    for (const [name, key] of Object.entries(keys)) {
      refuse(name, der(R, S), key);
      refuse(name, smallSignature, key);
    }

    function xOffCurve(): bigint {
      for (let candidate = 1n; ; candidate++) if (pointAt(candidate) === null) return candidate;
    }
  });
});

describe("what is wrong with a secp256k1 signature", () => {
  const { Point } = secp256k1;
  const key = Point.BASE.multiply(7n).toBytes(true);
  const signature = (r: bigint, s: bigint) => der(integer(r), integer(s));
  test.each([
    ["invalid-key", key.subarray(1), signature(1n, 1n)],
    ["invalid-key", Point.BASE.toBytes(false), signature(1n, 1n)],
    ["invalid-encoding", key, Buffer.of()],
    ["invalid-encoding", key, signature(0n, 1n)],
    ["invalid-encoding", key, Buffer.alloc(73, 0x30)],
    ["not-verified", key, signature(1n, 1n)],
    ["not-verified", key, signature(1n, Point.Fn.ORDER - 1n)],
  ] as const)("is told: %s", (result, publicKey, bytes) => {
    expect(verifySecp256k1(publicKey, MESSAGE, bytes)).toBe(result);
  });
});

test("a P-256 key is imported from the uncompressed point only", () => {
  const point = p256.Point.BASE.multiply(7n);
  expect(importP256PublicKey(point.toBytes(false))?.asymmetricKeyType).toBe("ec");
  expect(importP256PublicKey(point.toBytes(true))).toBeNull();
});

/** The contents of a DER integer: as short as can be, the top bit clear. */
function integer(value: bigint): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  return (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes;
}

/** The contents of a negative DER integer in 33 bytes or fewer. */
function twosComplement(value: bigint): Buffer {
  let length = 1;
  while (value < -(2n ** BigInt(8 * length - 1))) length++;
  return Buffer.from((2n ** BigInt(8 * length) + value).toString(16).padStart(2 * length, "0"), "hex");
}

function fixed(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(64, "0"), "hex");
}

function tlv(tag: number, content: Uint8Array): Buffer {
  const length = content.length < 128 ? [content.length] : [0x81, content.length];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

function der(r: Uint8Array, s: Uint8Array): Uint8Array {
  return new Uint8Array(tlv(0x30, Buffer.concat([tlv(0x02, r), tlv(0x02, s)])));
}

test("the longest signatures of P-256, of 72 bytes, are accepted", () => {
  const privateKey = Buffer.alloc(32, 0x5a);
  const key = importP256PublicKey(p256.getPublicKey(privateKey, false));
  if (key === null) throw new Error("the key is on the curve");
  for (let tried = 0, found = 0; found < 3; tried++) {
    const message = Buffer.from(`message ${tried}`);
    const compact = p256.sign(message, privateKey, { lowS: false });
    const signature = p256.Signature.fromBytes(compact, "compact").toBytes("der");
    if (signature.length < 72) continue;
    found++;
    expect(verifyP256(key, message, signature)).toBe(true);
  }
});
