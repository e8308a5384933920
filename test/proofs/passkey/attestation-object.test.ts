import { describe, expect, test } from "bun:test";
import type { CBORType } from "@levischuck/tiny-cbor";
import { readAttestationObject, requireAttestation } from "../../../src/proofs/passkey/attestation-object.ts";
import { encodeCbor } from "../../../src/proofs/passkey/cbor.ts";
import { importCosePublicKey } from "../../../src/proofs/passkey/cose-key.ts";
import { SoftwareAuthenticator } from "../../support/software-authenticator.ts";

const authenticatorData = Uint8Array.of(1, 2, 3);
const statement = new Map<string, CBORType>();
const MEMBERS: [string, CBORType][] = [
  ["fmt", "none"],
  ["attStmt", statement],
  ["authData", authenticatorData],
];

/** An attestation object with another value for a member, or without it. */
function encoded(name?: string, value?: CBORType): Uint8Array {
  const members = new Map<string | number, CBORType>(MEMBERS);
  if (name !== undefined && value === undefined) members.delete(name);
  else if (name !== undefined && value !== undefined) members.set(name, value);
  return encodeCbor(members);
}

describe("an attestation object", () => {
  test("has a format, a statement and authenticator data", () => {
    const read = readAttestationObject(encoded());
    expect(read).toEqual({ format: "none", statement, authenticatorData });
    expect(readAttestationObject(encoded("unknown", 5))).toEqual(read);
  });

  const refusal = "an attestation object has fmt, attStmt and authData";
  test.each([
    ["no format", encoded("fmt"), refusal],
    ["a format that is no text", encoded("fmt", 5), refusal],
    ["no statement", encoded("attStmt"), refusal],
    ["a statement that is no map", encoded("attStmt", []), refusal],
    ["no authenticator data", encoded("authData"), refusal],
    ["authenticator data that are no bytes", encoded("authData", "AQID"), refusal],
    ["a list in its place", encodeCbor(["none", statement, authenticatorData]), "a map"],
    ["nothing in its place", encodeCbor(null), "a map"],
  ])("is refused with %s", (_, bytes, reason) => {
    expect(() => readAttestationObject(bytes)).toThrow(reason);
  });
});

describe("an attestation statement", () => {
  const device = new SoftwareAuthenticator();
  const key = importCosePublicKey(encodeCbor(new Map<string | number, CBORType>(coseMembers())));
  const message = Uint8Array.of(7);
  const check = (format: string, members: [string, CBORType][] = []) =>
    requireAttestation({ format, statement: new Map(members), authenticatorData }, key, message);

  test("of no attestation has no members", () => {
    check("none");
    expect(() => check("none", [["alg", -7]])).toThrow("has members");
  });

  test("is only verified where it is a self attestation", () => {
    const wrong: [string, CBORType][] = [
      ["alg", -8],
      ["sig", Uint8Array.of(1)],
    ];
    check("tpm", wrong);
    check("packed", [...wrong, ["x5c", []]]);
    expect(() => check("packed", wrong)).toThrow("another algorithm");
  });

  test("of a self attestation has the signature of the passkey", () => {
    for (const sig of [undefined, "text", Uint8Array.of(1)]) {
      const members: [string, CBORType][] = sig === undefined ? [] : [["sig", sig]];
      expect(() => check("packed", [["alg", -7], ...members])).toThrow("does not verify");
    }
  });

  function coseMembers(): [number, CBORType][] {
    return [...device.coseKey()].flatMap(([label, value]) =>
      typeof value === "number" || value instanceof Uint8Array ? [[label, value]] : [],
    );
  }
});
