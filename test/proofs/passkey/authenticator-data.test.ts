import { describe, expect, test } from "bun:test";
import { readAuthenticatorData } from "../../../src/proofs/passkey/authenticator-data.ts";
import { encodeCbor } from "../../../src/proofs/passkey/cbor.ts";

const rpIdHash = new Uint8Array(32).fill(0xaa);
const AAGUID = Uint8Array.from({ length: 16 }, (_, at) => at);
const credentialId = Uint8Array.of(9, 8, 7);
const publicKey = encodeCbor(new Map([[1, 2]]));
const AT = 0x40;
const ED = 0x80;

/** Authenticator data (WebAuthn L3 §6.1) with these flags, a counter of 0x01020304, and this behind them. */
function data(flags: number, ...behind: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat([rpIdHash, Uint8Array.of(flags, 1, 2, 3, 4), ...behind]));
}

/** Attested credential data (§6.5.1). */
const attested = new Uint8Array(Buffer.concat([AAGUID, Uint8Array.of(0, 3), credentialId, publicKey]));
const extensions = encodeCbor(new Map([["uvm", 1]]));

const NO_FLAGS = { userPresent: false, userVerified: false, backupEligible: false, backedUp: false };

describe("authenticator data", () => {
  test.each([
    [0x00, {}],
    [0x01, { userPresent: true }],
    [0x02, {}],
    [0x04, { userVerified: true }],
    [0x08, { backupEligible: true }],
    [0x10, { backedUp: true }],
    [0x20, {}],
    [0x1d, { userPresent: true, userVerified: true, backupEligible: true, backedUp: true }],
  ])("with the flags %d have these and no others, the hash and the counter", (flags, set) => {
    const expected = { rpIdHash, ...NO_FLAGS, ...set, counter: 0x01020304, attested: null };
    expect(readAuthenticatorData(data(flags))).toEqual(expected);
  });

  test("of a registration have the passkey", () => {
    expect(readAuthenticatorData(data(AT, attested)).attested).toEqual({
      aaguid: "00010203-0405-0607-0809-0a0b0c0d0e0f",
      credentialId,
      publicKey,
    });
  });

  test("may have the outputs of extensions, in any encoding", () => {
    for (const outputs of [extensions, Uint8Array.of(0xff)]) {
      expect(readAuthenticatorData(data(ED, outputs)).attested).toBeNull();
      expect(readAuthenticatorData(data(AT | ED, attested, outputs)).attested).toMatchObject({ publicKey });
    }
  });

  test("are the same in the middle of a buffer", () => {
    const bytes = Buffer.concat([Uint8Array.of(1, 2, 3), data(AT, attested), Uint8Array.of(4)]);
    const within = new Uint8Array(bytes.buffer, bytes.byteOffset + 3, bytes.length - 4);
    expect(readAuthenticatorData(within)).toEqual(readAuthenticatorData(data(AT, attested)));
  });

  test.each([
    ["fewer than 37 bytes", data(0).subarray(0, 36), "at least 37 bytes"],
    ["nothing", new Uint8Array(), "at least 37 bytes"],
    ["outputs without their flag", data(0, extensions), "flag for extensions"],
    ["outputs without their flag behind a passkey", data(AT, attested, extensions), "flag for extensions"],
    ["the flag for outputs, and none", data(ED), "flag for extensions"],
    ["the flag for outputs behind a passkey, and none", data(AT | ED, attested), "flag for extensions"],
    ["a passkey without its flag", data(0, attested), "flag for extensions"],
    ["the flag for a passkey, and none", data(AT), "breaks off"],
    ["a passkey that ends before the length of its id", data(AT, attested.subarray(0, 17)), "breaks off"],
  ])("are refused with %s", (_, bytes, reason) => {
    expect(() => readAuthenticatorData(bytes)).toThrow(reason);
  });

  test("are refused where the passkey has no whole key", () => {
    for (const end of [18, 20, 21, attested.length - 1])
      expect(() => readAuthenticatorData(data(AT, attested.subarray(0, end)))).toThrow();
  });
});
