import { describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { encodeCbor } from "../../../src/proofs/passkey/cbor.ts";
import { createPasskeyVerifier } from "../../../src/proofs/passkey/passkey.ts";
import { StoredCredential } from "../../../src/proofs/passkey/stored-credential.ts";
import { parseAssertion } from "../../../src/proofs/passkey/webauthn-credential.ts";
import { creationOptions, requestOptions } from "../../../src/proofs/passkey/webauthn-options.ts";
import { PossibleReplay } from "../../../src/proofs/possible-replay.ts";
import { systemRandom } from "../../../src/runtime/clock.ts";
import { codeOf, errorOf } from "../../support/error-of.ts";
import {
  type Algorithm,
  type BinaryEncoding,
  type CborValue,
  type RegistrationTweaks,
  SoftwareAuthenticator,
  type Tweaks,
} from "../../support/software-authenticator.ts";

const APP_ORIGIN = "android:apk-key-hash:7d1043473d55bfa90e8530d35801d4e381bc69f0n4q";
const config = {
  rpId: "backup.example",
  rpName: "Backup",
  origins: ["https://backup.example", "https://app.backup.example", APP_ORIGIN],
};
const verifier = createPasskeyVerifier(config);

const creation = () =>
  creationOptions(config, systemRandom, { platform: "IOS", name: "me", displayName: "Me" });
const request = () => requestOptions(config, systemRandom);
const NONCE = { id: "challenge", expiresAtMs: 1 };

async function register(device: SoftwareAuthenticator, tweaks: RegistrationTweaks = {}) {
  const { options, challenge } = creation();
  return verifier.verifyRegistration(device.register(options, tweaks), challenge);
}

async function assert(device: SoftwareAuthenticator, stored: StoredCredential, tweaks: Tweaks = {}) {
  const { options, challenge } = request();
  const opened = { challenge, nonce: NONCE };
  return verifier.verifyAssertion(parseAssertion(device.assert(options, tweaks)), opened, stored);
}

/**
 * A COSE_Key whose byte strings have lengths of more bytes than they need, behind a member with a name beyond ASCII: both
 * are legal CBOR (RFC 8949 §3), which encoded again has another length.
 */
function oddlyEncoded(members: [number, CborValue][]): Uint8Array {
  const longBytes = (bytes: Uint8Array) => {
    const head = Buffer.alloc(5);
    head[0] = 0x5a;
    head.writeUInt32BE(bytes.length, 1);
    return Buffer.concat([head, bytes]);
  };
  const name = Buffer.from("ünknown 🔑");
  const unknown = Buffer.concat([Buffer.of(0x60 | name.length), name, Buffer.of(0xf6)]);
  const own = members.flatMap(([label, value]) => [
    encodeCbor(label),
    value instanceof Uint8Array && value.length >= 24 ? longBytes(value) : encodeCbor(value),
  ]);
  return new Uint8Array(Buffer.concat([Buffer.of(0xa0 | (members.length + 1)), unknown, ...own]));
}

/** What is wrong with the ceremony, in both of its kinds. */
const FAILURES: [string, Tweaks][] = [
  ["for another challenge", { challenge: Buffer.alloc(32).toString("base64url") }],
  ["for an empty challenge", { challenge: "" }],
  ["from another origin", { origin: "https://evil.example" }],
  ["from an origin that starts like ours", { origin: "https://backup.example.evil.example" }],
  ["from our origin on another port", { origin: "https://backup.example:8443" }],
  ["from our origin without encryption", { origin: "http://backup.example" }],
  ["from another app", { origin: "android:apk-key-hash:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }],
  ["for another relying party", { rpId: "evil.example" }],
  ["for a subdomain of the relying party", { rpId: "app.backup.example" }],
  ["of another type", { type: "payment.get" }],
  ["without user verification", { flags: { uv: false } }],
  ["without user presence", { flags: { up: false } }],
  ["with a passkey that is backed up but cannot be", { flags: { be: false, bs: true } }],
  ["in a frame of another origin", { clientData: { crossOrigin: true } }],
  ["with a crossOrigin that is a text", { clientData: { crossOrigin: "false" } }],
  ["under an empty top origin", { clientData: { topOrigin: "" } }],
  ["under a page of another origin", { clientData: { topOrigin: "https://evil.example" } }],
  ["without an origin", { clientData: { origin: undefined } }],
  ["without a type", { clientData: { type: undefined } }],
  ["without a challenge", { clientData: { challenge: undefined } }],
];

describe("a passkey registration", () => {
  test.each<Algorithm>(["ES256", "RS256"])(
    "with %s is accepted, with the credential to store",
    async (algorithm) => {
      const device = new SoftwareAuthenticator({ algorithm });
      const { options, challenge } = creation();
      const sent = device.register(options);
      const { credentialId, registration, credential } = await verifier.verifyRegistration(sent, challenge);
      expect(credentialId).toBe(device.credentialId.toString("base64url"));
      expect(registration).toBe(sent);
      expect(credential).toMatchObject({
        algorithm,
        counter: 0,
        transports: ["internal", "hybrid"],
        aaguid: "08987058-cadc-4b81-b6e1-30de50dcbe96",
        deviceType: "multiDevice",
        backedUp: true,
        userVerified: true,
      });
      expect(Value.Check(StoredCredential, credential)).toBe(true);
    },
  );

  test.each<BinaryEncoding>(["padded-base64url", "base64", "unpadded-base64", "bytes"])(
    "with members as %s is accepted, and comes back as sent",
    async (encoding) => {
      const device = new SoftwareAuthenticator();
      const { options, challenge } = creation();
      const sent = device.register(options, { encoding });
      const { credentialId, registration } = await verifier.verifyRegistration(sent, challenge);
      expect(credentialId).toBe(device.credentialId.toString("base64url"));
      expect(JSON.stringify(registration)).toBe(JSON.stringify(sent));
    },
  );

  test("of a device-bound passkey says so", async () => {
    const { credential } = await register(new SoftwareAuthenticator(), { flags: { be: false, bs: false } });
    expect(credential).toMatchObject({ deviceType: "singleDevice", backedUp: false });
  });

  test.each([
    "none",
    "self",
    "packed",
    "android-key",
    "android-safetynet",
    "apple",
    "fido-u2f",
    "tpm",
    "new-format",
  ])("with %s attestation is accepted without verifying certificates", async (attestation) => {
    const device = new SoftwareAuthenticator();
    const { credential } = await register(device, { attestation });
    expect(await assert(device, credential)).toMatchObject({ counter: 0 });
  });

  test("with self attestation of the wrong key is refused", async () => {
    for (const algorithm of ["ES256", "RS256"] as const)
      expect(
        await codeOf(() =>
          register(new SoftwareAuthenticator({ algorithm }), { attestation: "self", wrongKey: true }),
        ),
      ).toBe("webauthn_error");
  });

  test("with self attestation that names another algorithm than the key's is refused", async () => {
    for (const [algorithm, other] of [
      ["ES256", -257],
      ["RS256", -7],
      ["ES256", -8],
    ] as const) {
      const device = new SoftwareAuthenticator({ algorithm });
      for (const attestationAlg of [other, 7])
        expect(await codeOf(() => register(device, { attestation: "self", attestationAlg }))).toBe(
          "webauthn_error",
        );
    }
  });

  test.each<Algorithm>(["ES256", "RS256"])(
    "with an %s key keeps the members of its kind and no others",
    async (algorithm) => {
      const device = new SoftwareAuthenticator({ algorithm });
      const plain = await register(device);
      const own = [...device.coseKey()];
      const kid = new Uint8Array(2000).fill(7);
      const unknown: [number | string, CborValue][] = [
        [2, kid],
        [4, [1, 2]],
        [-70_000, new Map<number, CborValue>([[1, kid]])],
        ["unknown", 1.5],
        [5, null],
      ];
      const zeros = ([label, value]: [number, CborValue]): [number, CborValue] =>
        algorithm === "RS256" && value instanceof Uint8Array
          ? [label, Uint8Array.of(0, 0, ...value)]
          : [label, value];
      for (const coseKey of [
        new Map([...own, ...unknown]),
        new Map([...unknown, ...own.toReversed()]),
        new Map(own.map(zeros)),
        oddlyEncoded(own),
      ]) {
        const { credential } = await register(device, { coseKey });
        expect(credential.publicKey).toBe(plain.credential.publicKey);
        expect(await assert(device, credential)).toMatchObject({ counter: 0 });
      }
      const bytes = { ES256: 77, RS256: 272 }[algorithm];
      expect(Buffer.from(plain.credential.publicKey, "base64url")).toHaveLength(bytes);
    },
  );

  test("that kept members of other kinds in an earlier version is still good", async () => {
    for (const algorithm of ["ES256", "RS256"] as const) {
      const device = new SoftwareAuthenticator({ algorithm });
      const { credential } = await register(device);
      const members = new Map<number | string, CborValue>([
        [2, new Uint8Array(99)],
        ...device.coseKey(),
        ["x", 1.5],
      ]);
      const publicKey = Buffer.from(encodeCbor(members)).toString("base64url");
      expect(await assert(device, { ...credential, publicKey })).toMatchObject({ counter: 0 });
    }
  });

  test.each([1, 16, 1023])("with an id of %d bytes is accepted", async (credentialIdBytes) => {
    const device = new SoftwareAuthenticator({ credentialIdBytes });
    const { credential } = await register(device);
    expect(await assert(device, credential)).toMatchObject({ counter: 0 });
  });

  test("with an id of 1024 bytes is refused", async () => {
    const device = new SoftwareAuthenticator({ credentialIdBytes: 1024 });
    expect(await codeOf(() => register(device))).toBe("webauthn_error");
  });

  test.each(config.origins)("from %s is accepted", async (origin) => {
    expect((await register(new SoftwareAuthenticator(), { origin })).credential.algorithm).toBe("ES256");
  });

  test.each([...FAILURES, ["that is an assertion", { type: "webauthn.get" }] as [string, Tweaks]])(
    "%s is refused",
    async (_, tweaks) => {
      const error = await errorOf(() => register(new SoftwareAuthenticator(), tweaks));
      expect(error.code).toBe("webauthn_error");
      expect(error.message).toBe("The passkey response was not accepted");
      expect(error.cause).toBeInstanceOf(Error);
    },
  );

  test("under another id than the authenticator's is refused", async () => {
    const { options, challenge } = creation();
    const id = Buffer.alloc(32).toString("base64url");
    const sent = { ...new SoftwareAuthenticator().register(options), id, rawId: id };
    expect(await codeOf(() => verifier.verifyRegistration(sent, challenge))).toBe("webauthn_error");
  });

  test("with PRF results is refused as such, even when all else is wrong", async () => {
    const { options } = creation();
    const clientExtensionResults = { prf: { results: { first: "AAAA" } } };
    const sent = new SoftwareAuthenticator().register(options, { clientExtensionResults, type: "wrong" });
    expect(await codeOf(() => verifier.verifyRegistration(sent, new Uint8Array(32)))).toBe(
      "webauthn_prf_results_not_allowed",
    );
  });

  test("that is no WebAuthn object is refused as such", async () => {
    const { options, challenge } = creation();
    for (const bad of [null, {}, "x", new SoftwareAuthenticator().assert(options)])
      expect(await codeOf(() => verifier.verifyRegistration(bad, challenge))).toBe(
        "webauthn_invalid_payload",
      );
  });

  describe("with a key that cannot be used is refused:", () => {
    const device = new SoftwareAuthenticator();
    const key = (changes: [number, number | Uint8Array | undefined][], of = device) => {
      const members = of.coseKey();
      for (const [label, value] of changes)
        if (value === undefined) members.delete(label);
        else members.set(label, value);
      return members;
    };
    const rsa = new SoftwareAuthenticator({ algorithm: "RS256" });
    const modulus = (last: number) => Uint8Array.of(...new Uint8Array(255).fill(0xff), last);
    test.each([
      ["EdDSA", key([[3, -8]])],
      ["ES384", key([[3, -35]])],
      ["RS1", key([[3, -65535]], rsa)],
      ["PS256", key([[3, -37]], rsa)],
      ["no algorithm", key([[3, undefined]])],
      ["ES256 on P-384", key([[-1, 2]])],
      ["ES256 of an RSA key", key([[3, -7]], rsa)],
      ["RS256 of an EC key", key([[3, -257]])],
      ["a point off the curve", key([[-3, new Uint8Array(32).fill(1)]])],
      [
        "x at the prime",
        key([
          [
            -2,
            new Uint8Array(
              Buffer.from("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff", "hex"),
            ),
          ],
        ]),
      ],
      ["a short coordinate", key([[-2, new Uint8Array(31)]])],
      ["a coordinate that is no bytes", key([[-2, 5]])],
      ["no y", key([[-3, undefined]])],
      ["RSA of 1024 bits", key([[-1, new Uint8Array(128).fill(0xff)]], rsa)],
      ["RSA of 8192 bits", key([[-1, new Uint8Array(1024).fill(0xff)]], rsa)],
      ["RSA with a huge exponent", key([[-2, new Uint8Array(256).fill(0xff)]], rsa)],
      ["RSA with an exponent of five bytes", key([[-2, Uint8Array.of(1, 0, 0, 0, 1)]], rsa)],
      ["RSA with the exponent 0", key([[-2, Uint8Array.of(0)]], rsa)],
      ["RSA with no exponent", key([[-2, new Uint8Array()]], rsa)],
      ["RSA with the exponent 1", key([[-2, Uint8Array.of(1)]], rsa)],
      ["RSA with the exponent 1 behind zeros", key([[-2, Uint8Array.of(0, 0, 1)]], rsa)],
      ["RSA with the exponent 2", key([[-2, Uint8Array.of(2)]], rsa)],
      ["RSA with an even exponent", key([[-2, Uint8Array.of(1, 0, 2)]], rsa)],
      ["RSA with an even modulus", key([[-1, modulus(0xfe)]], rsa)],
      ["RSA with the modulus 0", key([[-1, new Uint8Array(256)]], rsa)],
    ])("%s", async (_, coseKey) => {
      expect(await codeOf(() => register(device, { coseKey }))).toBe("webauthn_error");
    });
  });

  test("whose binary members hold garbage is refused", async () => {
    const { options, challenge } = creation();
    const sent = new SoftwareAuthenticator().register(options);
    const nested = Buffer.concat([Buffer.alloc(5000, 0x81), Buffer.of(0)]).toString("base64url");
    for (const name of ["clientDataJSON", "attestationObject"])
      for (const bad of ["", "AAAA", "gA", "oA", "bnVsbA", "eyJ9", nested])
        expect(
          await codeOf(() =>
            verifier.verifyRegistration({ ...sent, response: { ...sent.response, [name]: bad } }, challenge),
          ),
        ).toBe("webauthn_error");
  });
});

describe("a passkey assertion", () => {
  test.each<Algorithm>(["ES256", "RS256"])("with %s is accepted", async (algorithm) => {
    const device = new SoftwareAuthenticator({ algorithm });
    const { credential } = await register(device);
    expect(await assert(device, credential)).toMatchObject({ counter: 0 });
  });

  test.each<BinaryEncoding>(["padded-base64url", "base64", "unpadded-base64", "bytes"])(
    "with members as %s is accepted",
    async (encoding) => {
      const device = new SoftwareAuthenticator();
      const { credential } = await register(device);
      const userHandle = new Uint8Array(16);
      expect(await assert(device, credential, { encoding, userHandle })).toMatchObject({ counter: 0 });
    },
  );

  test.each(config.origins)("from %s is accepted", async (origin) => {
    const device = new SoftwareAuthenticator();
    const { credential } = await register(device);
    expect(await assert(device, credential, { origin })).toMatchObject({ counter: 0 });
  });

  test.each([
    ...FAILURES,
    ["that is a registration", { type: "webauthn.create" }] as [string, Tweaks],
    ["signed by another key", { wrongKey: true }] as [string, Tweaks],
  ])("%s is refused", async (_, tweaks) => {
    for (const algorithm of ["ES256", "RS256"] as const) {
      const device = new SoftwareAuthenticator({ algorithm });
      const { credential } = await register(device);
      const error = await errorOf(() => assert(device, credential, tweaks));
      expect(error.code).toBe("webauthn_error");
      expect(error.message).toBe("The passkey response was not accepted");
      expect(error).not.toBeInstanceOf(PossibleReplay);
    }
  });

  test("of another passkey is refused", async () => {
    const [mine, theirs] = [new SoftwareAuthenticator(), new SoftwareAuthenticator()];
    const { credential } = await register(theirs);
    expect(await codeOf(() => assert(mine, credential))).toBe("webauthn_error");
  });

  test("with a changed byte anywhere it counts is refused", async () => {
    const device = new SoftwareAuthenticator();
    const { credential } = await register(device);
    const { options, challenge } = request();
    const opened = { challenge, nonce: NONCE };
    const genuine = parseAssertion(device.assert(options));
    for (const name of ["clientDataJson", "authenticatorData", "signature"] as const)
      for (let at = 0; at < genuine[name].length; at += 7) {
        const changed = Uint8Array.from(genuine[name]);
        changed[at] = (changed[at] ?? 0) ^ 1;
        const changedAssertion = { ...genuine, [name]: changed };
        expect(await codeOf(() => verifier.verifyAssertion(changedAssertion, opened, credential))).toBe(
          "webauthn_error",
        );
      }
    for (const signature of [new Uint8Array(), new Uint8Array(72), Uint8Array.of(...genuine.signature, 0)])
      expect(
        await codeOf(() => verifier.verifyAssertion({ ...genuine, signature }, opened, credential)),
      ).toBe("webauthn_error");
  });

  test("with a stored key that cannot be read is our failure, not the client's", async () => {
    const device = new SoftwareAuthenticator();
    const { credential } = await register(device);
    const outcome = assert(device, { ...credential, publicKey: "not base64url!" });
    await expect(outcome).rejects.toThrow("a stored public key is not base64url");
  });
});

describe("the signature counter", () => {
  const passkey = async (counter: number, deviceBound = true) => {
    const device = new SoftwareAuthenticator({ counter, deviceBound });
    const { credential } = await register(device);
    return { device, credential };
  };

  test("is returned at registration and after each assertion", async () => {
    const { device, credential } = await passkey(5);
    expect(credential.counter).toBe(5);
    expect(await assert(device, credential)).toMatchObject({ counter: 6 });
    expect(await assert(device, { ...credential, counter: 6 })).toMatchObject({ counter: 7 });
  });

  test.each([
    [5, 5],
    [5, 4],
    [5, 0],
    [1, 0],
    [0xffffffff, 1],
  ])("that was %d must not be %d", async (stored, counter) => {
    const { device, credential } = await passkey(stored);
    const error = await errorOf(() => assert(device, credential, { counter }));
    expect(error).toBeInstanceOf(PossibleReplay);
    expect(error).toMatchObject({ nonces: [NONCE] });
    expect(error.code).toBe("webauthn_error");
  });

  test.each([
    [0, 0],
    [0, 1],
    [5, 6],
    [5, 0xffffffff],
  ])("that was %d may be %d", async (stored, counter) => {
    const { device, credential } = await passkey(stored);
    expect(await assert(device, credential, { counter })).toMatchObject({ counter });
  });

  test.each([
    [5, 5],
    [5, 4],
    [5, 0],
    [0xffffffff, 1],
  ])("of a synchronised passkey that was %d may be %d", async (stored, counter) => {
    const { device, credential } = await passkey(stored, false);
    expect(await assert(device, credential, { counter })).toEqual({ counter, backupEligible: true });
    // what is stored decides, where a provider has stopped to say so
    const flags = { be: false, bs: false };
    expect(await assert(device, credential, { counter, flags })).toEqual({ counter, backupEligible: false });
  });

  test("may go back where a passkey that was bound to its device has become synchronised", async () => {
    const { device, credential } = await passkey(5);
    const flags = { be: true, bs: true };
    expect(await assert(device, credential, { counter: 1, flags })).toEqual({
      counter: 1,
      backupEligible: true,
    });
  });

  test("is not compared where the signature does not verify", async () => {
    const { device, credential } = await passkey(5);
    const error = await errorOf(() => assert(device, credential, { counter: 1, wrongKey: true }));
    expect(error).not.toBeInstanceOf(PossibleReplay);
  });
});
