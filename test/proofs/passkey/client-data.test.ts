import { describe, expect, test } from "bun:test";
import { challengeInClientData, readClientData } from "../../../src/proofs/passkey/client-data.ts";

const MEMBERS = { type: "webauthn.get", challenge: "AQID", origin: "https://backup.example" };
const bytesOf = (members: unknown) => new TextEncoder().encode(JSON.stringify(members));

describe("client data", () => {
  test.each([
    {},
    { crossOrigin: false },
    { crossOrigin: null },
    { topOrigin: null },
    { crossOrigin: false, topOrigin: null, tokenBinding: { status: "supported" } },
  ])("of no frame are read with %j", (more) => {
    expect(readClientData(bytesOf({ ...MEMBERS, ...more }))).toMatchObject(MEMBERS);
  });

  const frame = "the ceremony ran inside a frame of another origin";
  const other = "not the client data of a WebAuthn ceremony";
  test.each<[object, string]>([
    [{ crossOrigin: true }, frame],
    [{ crossOrigin: false, topOrigin: "https://other.example" }, frame],
    [{ topOrigin: "" }, frame],
    [{ crossOrigin: "false" }, other],
    [{ topOrigin: 1 }, other],
    [{ type: undefined }, other],
    [{ challenge: 1 }, other],
    [{ origin: null }, other],
  ])("are refused with %j: %s", (more, reason) => {
    expect(() => readClientData(bytesOf({ ...MEMBERS, ...more }))).toThrow(reason);
  });

  test("are refused where they are not UTF-8", () => {
    const [before = "", after = ""] = JSON.stringify({ ...MEMBERS, more: "?" }).split("?");
    const bytes = Buffer.concat([Buffer.from(before), Uint8Array.of(0xff), Buffer.from(after)]);
    expect(() => readClientData(bytes)).toThrow(TypeError);
  });

  test("have a challenge, or none that can be read", () => {
    expect(challengeInClientData(bytesOf(MEMBERS))).toEqual(Uint8Array.of(1, 2, 3));
    expect(challengeInClientData(bytesOf({ ...MEMBERS, challenge: "!" }))).toBeNull();
    expect(challengeInClientData(bytesOf({}))).toBeNull();
  });
});
