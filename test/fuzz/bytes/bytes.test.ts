import { describe, expect, test } from "bun:test";
import { verifyP256 } from "../../../src/crypto/ecdsa.ts";
import { boundaryOf } from "../../../src/http/body/multipart-headers.ts";
import { readCbor } from "../../../src/proofs/passkey/cbor.ts";
import { importCosePublicKey } from "../../../src/proofs/passkey/cose-key.ts";
import { requireActivity } from "../../../src/proofs/turnkey/activity.ts";
import { canonicalJson } from "../../../src/protocol/canonical-json.ts";
import { unpackVersions } from "../../../src/storage/aws/packed-versions.ts";
import { cborTarget } from "./cbor.ts";
import { ENCODINGS, encodingTarget } from "./encodings.ts";
import { fuzzTarget } from "./fuzz-target.ts";
import { activityTarget, canonicalJsonTarget } from "./json.ts";
import { boundaryTarget } from "./multipart.ts";
import { coseKeyTarget } from "./passkeys.ts";
import { p256SignatureTarget } from "./signatures.ts";
import { packedVersionsTarget } from "./stores.ts";
import type { Target } from "./target.ts";
import { allTargets } from "./targets.ts";

const SEED = 1;
const CASES = 2_000;
const SLOW_CASES = 300;

const TARGETS = await allTargets();

describe("hostile bytes", () => {
  for (const target of TARGETS)
    test(`as ${target.name} are read as the reference reads them, or refused`, async () => {
      const cases = target.isSlow ? SLOW_CASES : CASES;
      const { failures, accepted, outcomes } = await fuzzTarget(target, { cases, seed: SEED });
      expect(failures).toEqual([]);
      expect(accepted).toBeGreaterThan(0); // otherwise the campaign would see only what is refused first
      expect(outcomes).toBeGreaterThan(1);
    });

  test("are the same ones for the same seed", async () => {
    const run = async (seed: number) => {
      const seen: string[] = [];
      const target: Target = {
        ...cborTarget(),
        run: (input) => {
          seen.push(Buffer.from(input).toString("hex"));
          return "seen";
        },
      };
      await fuzzTarget(target, { cases: 200, seed });
      return seen;
    };
    expect(await run(5)).toEqual(await run(5));
    expect(await run(5)).not.toEqual(await run(6));
  });
});

const { base64, hex } = ENCODINGS;
if (base64 === undefined || hex === undefined) throw new Error("there is no such encoding");

/** Faults that parsers have had, each with the number of cases in which it must be found. */
const FAULTS: readonly (readonly [fault: string, target: Target, cases: number])[] = [
  [
    "a RangeError for a length of two bytes that breaks off",
    cborTarget((bytes) => {
      if (bytes[0] === 0x59) new DataView(new Uint8Array(bytes).buffer, 1).getUint16(0);
      return readCbor(bytes);
    }),
    20_000,
  ],
  [
    "the length of an item beyond its end",
    cborTarget((bytes) => {
      try {
        return readCbor(bytes);
      } catch (error) {
        if (bytes.length === 1 && bytes[0] === 0x41) return { value: new Uint8Array(), length: 2 };
        throw error;
      }
    }),
    20_000,
  ],
  [
    "base64 with bits behind the last byte",
    encodingTarget("base64", {
      ...base64,
      decode: (text) => (/^[\w+/]*=*$/.test(text) ? Buffer.from(text, "base64") : null),
    }),
    5_000,
  ],
  [
    "hex whose characters are beyond U+00FF",
    encodingTarget("hex", {
      ...hex,
      decode(text) {
        const bytes = Buffer.from(text, "hex");
        return bytes.length * 2 === text.length ? bytes : null;
      },
    }),
    20_000,
  ],
  [
    "signatures with a zero before r",
    p256SignatureTarget(
      (key, message, signature) =>
        (signature[4] === 0 && signature[5] === 0) || verifyP256(key, message, signature),
    ),
    20_000,
  ],
  [
    "an error class of its own for a key",
    coseKeyTarget((encoded) => {
      if (encoded.length === 76) throw new TypeError("not 77 bytes");
      return importCosePublicKey(encoded);
    }),
    20_000,
  ],
  [
    "canonical JSON with integers as doubles",
    canonicalJsonTarget((text) => canonicalJson(text).replace(/\d{17,}/, (digits) => `${Number(digits)}`)),
    20_000,
  ],
  [
    "a boundary of no character",
    boundaryTarget((contentType) => (contentType.endsWith('boundary=""') ? "" : boundaryOf(contentType))),
    50_000,
  ],
  [
    "a TypeError for metadata that are null",
    activityTarget((activity, expected, clock) => {
      if (/"metadata":\s*null/.test(activity)) throw new TypeError("null is no object");
      requireActivity(activity, expected, clock);
    }),
    20_000,
  ],
  [
    "a RangeError for a version that breaks off",
    packedVersionsTarget((backupId, text) => {
      const bytes = Buffer.from(text, "base64url");
      if (bytes.length === 18) bytes.readDoubleBE(17);
      return unpackVersions(backupId, text);
    }),
    20_000,
  ],
];

describe("a fault that is planted is found:", () => {
  test.each(FAULTS)("%s", async (_fault, target, cases) => {
    const { failures } = await fuzzTarget(target, { cases, seed: SEED });
    expect(failures).not.toEqual([]);
    expect(failures[0]).toContain(`seed ${SEED}, case `);
  });
});
