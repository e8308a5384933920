import { describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { creationOptions, requestOptions } from "../../../src/proofs/passkey/webauthn-options.ts";
import { CreationOptions, RequestOptions } from "../../../src/protocol/webauthn.ts";
import { type Random, systemRandom } from "../../../src/runtime/clock.ts";
import { codeOf } from "../../support/error-of.ts";

const relyingParty = { rpId: "backup.example", rpName: "Backup", origins: ["https://backup.example"] };
/** Bytes that contain their number. */
const random: Random = { ...systemRandom, bytes: (length) => new Uint8Array(length).fill(length) };
const CHALLENGE = Buffer.alloc(32, 32).toString("base64url");
const USER_ID = Buffer.alloc(16, 16).toString("base64url");
const user = { name: "me@example.com", displayName: "Me" };

const shared = {
  rp: { name: "Backup", id: "backup.example" },
  user: { id: USER_ID, ...user },
  challenge: CHALLENGE,
  pubKeyCredParams: [
    { type: "public-key", alg: -7 },
    { type: "public-key", alg: -257 },
  ],
  timeout: 300_000,
  attestation: "none",
};

describe("creation options", () => {
  test("for IOS are these and no others", () => {
    const { options, challenge } = creationOptions(relyingParty, random, { platform: "IOS", ...user });
    expect(challenge).toEqual(new Uint8Array(32).fill(32));
    expect(JSON.parse(JSON.stringify(options))).toStrictEqual({
      publicKey: {
        ...shared,
        authenticatorSelection: {
          residentKey: "discouraged",
          requireResidentKey: false,
          userVerification: "required",
        },
        extensions: {
          credentialProtectionPolicy: "userVerificationRequired",
          enforceCredentialProtectionPolicy: false,
          uvm: true,
          credProps: true,
        },
      },
    });
    expect(Value.Check(CreationOptions, options)).toBe(true);
  });

  test("for ANDROID are these and no others", () => {
    const { options } = creationOptions(relyingParty, random, { platform: "ANDROID", ...user });
    expect(JSON.parse(JSON.stringify(options))).toStrictEqual({
      publicKey: {
        ...shared,
        authenticatorSelection: {
          authenticatorAttachment: "platform",
          residentKey: "required",
          requireResidentKey: true,
          userVerification: "required",
        },
        hints: ["client-device"],
        extensions: { uvm: true, credProps: true },
      },
    });
    expect(Value.Check(CreationOptions, options)).toBe(true);
  });

  test("never ask for a prf extension", () => {
    for (const platform of ["IOS", "ANDROID"] as const)
      expect(JSON.stringify(creationOptions(relyingParty, random, { platform, ...user }))).not.toContain(
        "prf",
      );
  });

  test("differ in challenge and user id each time", () => {
    const make = () =>
      creationOptions(relyingParty, systemRandom, { platform: "IOS", ...user }).options.publicKey;
    const [a, b] = [make(), make()];
    expect(a.challenge).not.toBe(b.challenge);
    expect(a.user.id).not.toBe(b.user.id);
  });

  test.each([
    ["name", { ...user, name: "" }],
    ["display name", { ...user, displayName: "" }],
  ])("are refused without a %s", async (_, names) => {
    for (const platform of ["IOS", "ANDROID"] as const)
      expect(await codeOf(() => creationOptions(relyingParty, random, { platform, ...names }))).toBe(
        "webauthn_error",
      );
  });
});

test("request options for discoverable passkeys are these and no others", () => {
  const { options, challenge } = requestOptions(relyingParty, random);
  expect(challenge).toEqual(new Uint8Array(32).fill(32));
  expect(JSON.parse(JSON.stringify(options))).toStrictEqual({
    publicKey: {
      challenge: CHALLENGE,
      timeout: 300_000,
      rpId: "backup.example",
      allowCredentials: [],
      userVerification: "required",
      extensions: { uvm: true },
    },
    mediation: "conditional",
  });
  expect(Value.Check(RequestOptions, options)).toBe(true);
});
