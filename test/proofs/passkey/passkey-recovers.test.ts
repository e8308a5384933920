/**
 * A passkey that can be registered can recover: whatever a registration is accepted with, an assertion is accepted with.
 * What clients and authenticators write is generated; what is wrong on purpose is tried in both ceremonies.
 */
import { describe, expect, test } from "bun:test";
import { verifyAuthenticationResponse, verifyRegistrationResponse } from "@simplewebauthn/server";
import fc from "fast-check";
import { ServiceError } from "../../../src/errors.ts";
import { createPasskeyVerifier } from "../../../src/proofs/passkey/passkey.ts";
import type { StoredCredential } from "../../../src/proofs/passkey/stored-credential.ts";
import { parseAssertion } from "../../../src/proofs/passkey/webauthn-credential.ts";
import { creationOptions, requestOptions } from "../../../src/proofs/passkey/webauthn-options.ts";
import { readTurnkeyStamp, verifyTurnkeyStamp } from "../../../src/proofs/turnkey/stamp.ts";
import { systemRandom } from "../../../src/runtime/clock.ts";
import { SettableClock } from "../../support/settable-clock.ts";
import {
  type Algorithm,
  type BinaryEncoding,
  newKeys,
  type RegistrationTweaks,
  SoftwareAuthenticator,
  type Tweaks,
} from "../../support/software-authenticator.ts";
import { turnkeyActivity } from "../../support/turnkey-activity.ts";

const APP_ORIGIN = "android:apk-key-hash:7d1043473d55bfa90e8530d35801d4e381bc69f0n4q";
const config = { rpId: "backup.example", rpName: "Backup", origins: ["https://backup.example", APP_ORIGIN] };
const verifier = createPasskeyVerifier(config);
const clock = new SettableClock();
const NONCE = { id: "challenge", expiresAtMs: 1 };

/** RSA keys take long to make, so few serve all runs. */
const KEYS = {
  ES256: [newKeys("ES256"), newKeys("ES256")],
  RS256: [newKeys("RS256", 2048), newKeys("RS256", 3072), newKeys("RS256", 4096)],
};

const hex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));

/** Outputs of extensions inside the authenticator data, as CBOR. */
const EXTENSIONS = [
  new Uint8Array(),
  hex("a16375766d8183020402"), // {"uvm": [[2, 4, 2]]}
  hex("a16375766d9f83020402ff"), // the same with a list of indefinite length
  hex("a16b686d61632d736563726574f5"), // {"hmac-secret": true}
  hex(`a16b686d61632d7365637265745830${"7a".repeat(48)}`), // {"hmac-secret": 48 encrypted bytes}
  hex("a16c74784175746853696d706c6568c3a4c3b6f09f9491"), // {"txAuthSimple": "äö🔑"}
  hex("a1617ff93c00"), // a half-precision float
  hex("a0"),
];

const CLIENT_RESULTS: unknown[] = [
  undefined,
  null,
  {},
  { credProps: { rk: true }, uvm: [[2, 4, 2]] },
  { prf: { enabled: true } },
  { prf: { enabled: true, results: null }, hmacGetSecret: null },
  { prf: { results: { first: null, second: null } }, hmacCreateSecret: false },
  { appid: false, ünknown: ["🔑", null, {}] },
];

const TOKEN_BINDINGS: unknown[] = [
  ...["present", "supported", "not-supported", "notSupported", "unknown", null, 7].map((status) => ({
    status,
  })),
  ...[{ status: "present", id: "AAAA" }, {}, null, "not-supported", [], false],
];

/** Members that clients add to the client data, in forms that are no fault. */
const clientData = fc.record(
  {
    tokenBinding: fc.constantFrom(...TOKEN_BINDINGS),
    crossOrigin: fc.constantFrom(false, null),
    topOrigin: fc.constant(null),
    androidPackageName: fc.string({ unit: "binary", maxLength: 20 }),
    other_keys_can_be_added_here: fc.jsonValue({ maxDepth: 3 }),
    ünicode: fc.string({ unit: "grapheme", maxLength: 20 }),
  },
  { requiredKeys: [] },
);

/** How the text of the client data is written: in any order of members, with white space, or escaped. */
const clientDataText = fc
  .record({
    seed: fc.array(fc.nat(), { minLength: 12, maxLength: 12 }),
    indent: fc.constantFrom(0, 1, 2),
    escaped: fc.boolean(),
    bom: fc.boolean(),
  })
  .map(({ seed, indent, escaped, bom }) => (members: Readonly<Record<string, unknown>>) => {
    const entries = Object.entries(members)
      .map(([name, value], index) => ({ rank: seed[index] ?? 0, entry: [name, value] as const }))
      .toSorted((a, b) => a.rank - b.rank)
      .map(({ entry }) => entry);
    const text = JSON.stringify(Object.fromEntries(entries), null, indent);
    const codePoint = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
    return (bom ? "\ufeff" : "") + (escaped ? text.replace(/[^\x20-\x7e\n]/g, codePoint) : text);
  });

/** What a client and an authenticator may write in either ceremony. */
const ceremony = fc.record({
  origin: fc.constantFrom(...config.origins),
  clientData,
  clientDataText,
  extensions: fc.constantFrom(...EXTENSIONS),
  clientExtensionResults: fc.constantFrom(...CLIENT_RESULTS),
  encoding: fc.constantFrom<BinaryEncoding>(
    "base64url",
    "padded-base64url",
    "base64",
    "unpadded-base64",
    "bytes",
  ),
});

const passkey = fc.record({
  algorithm: fc.constantFrom<Algorithm>("ES256", "RS256"),
  key: fc.nat(),
  credentialIdBytes: fc.integer({ min: 1, max: 1023 }),
  backup: fc.constantFrom({ be: false, bs: false }, { be: true, bs: false }, { be: true, bs: true }),
  counter: fc.constantFrom(0, 1, 7, 0x7fff_ffff, 0xffff_fffe),
  attestation: fc.constantFrom("none", "self", "packed", "android-key", "tpm", "apple", "fido-u2f", "new"),
  transports: fc.oneof(
    fc.constantFrom(undefined, null, [], ["internal", "hybrid"], ["usb", 7, null]),
    fc.array(fc.string({ unit: "binary", maxLength: 40 }), { maxLength: 20 }),
  ),
});

async function register(device: SoftwareAuthenticator, tweaks: RegistrationTweaks) {
  const options = { platform: "IOS", name: "me", displayName: "Me" } as const;
  const creation = creationOptions(config, systemRandom, options);
  const sent = overTheWire(device.register(creation.options, tweaks));
  return verifier.verifyRegistration(sent, creation.challenge);
}

async function assert(device: SoftwareAuthenticator, stored: StoredCredential, tweaks: Tweaks) {
  const { options, challenge } = requestOptions(config, systemRandom);
  const sent = overTheWire(device.assert(options, tweaks));
  return verifier.verifyAssertion(parseAssertion(sent), { challenge, nonce: NONCE }, stored);
}

function stamp(device: SoftwareAuthenticator, stored: StoredCredential, tweaks: Tweaks) {
  const challenge = new Uint8Array(32).fill(7);
  const activity = turnkeyActivity({ challenge, organizationId: "o", nowMs: clock.nowMs() });
  const sent = overTheWire(device.stamp(activity, tweaks));
  const expected = { challenge, nonce: NONCE, credential: stored, turnkeyAccountId: null };
  return verifyTurnkeyStamp(readTurnkeyStamp(sent, activity), expected, config, clock);
}

/** As the service gets it and stores it. */
function overTheWire<T>(value: T): unknown {
  return JSON.parse(JSON.stringify(value));
}

async function isAccepted(attempt: () => Promise<unknown>): Promise<boolean> {
  try {
    await attempt();
    return true;
  } catch (error) {
    if (error instanceof ServiceError) return false;
    throw error;
  }
}

describe("a passkey that is registered", () => {
  test("recovers, and stamps, whatever client and authenticator write then and now", async () => {
    await fc.assert(
      fc.asyncProperty(passkey, ceremony, ceremony, async (made, then, now) => {
        const { algorithm, key, credentialIdBytes, backup, counter, attestation, transports } = made;
        const keys = KEYS[algorithm][key % KEYS[algorithm].length];
        const device = new SoftwareAuthenticator({
          algorithm,
          credentialIdBytes,
          counter: counter === 0 ? null : counter,
          ...(keys === undefined ? {} : { keys }),
        });
        const registered = await register(device, { ...then, flags: backup, attestation, transports });
        const { credential } = overTheWire(registered) as { credential: StoredCredential };
        const shown = { counter: counter === 0 ? 0 : counter + 1, backupEligible: backup.be };
        expect(await assert(device, credential, { ...now, flags: backup })).toEqual(shown);
        // a synchronised passkey may count lower on another device, and one may become synchronised or stop to be
        for (const flags of [{ be: true, bs: true }, ...(backup.be ? [{ be: false, bs: false }] : [])])
          await assert(device, credential, { ...now, flags, counter: 0 });
        if (algorithm === "ES256")
          expect(stamp(device, credential, { ...now, flags: backup, counter: counter + 1 })).toMatchObject({
            counter: counter + 1,
          });
      }),
      { numRuns: 400 },
    );
  });

  /** Faults and oddities that both ceremonies can have. */
  const oddities: readonly (readonly [name: string, tweaks: Tweaks])[] = [
    ...[true, false, null, 0, 1, "true", "", [], {}].map(
      (crossOrigin) =>
        [`crossOrigin ${JSON.stringify(crossOrigin)}`, { clientData: { crossOrigin } }] as const,
    ),
    ...["https://evil.example", "https://backup.example", "", null, false, 0, [], {}].map(
      (topOrigin) => [`topOrigin ${JSON.stringify(topOrigin)}`, { clientData: { topOrigin } }] as const,
    ),
    ...TOKEN_BINDINGS.map(
      (tokenBinding) =>
        [`tokenBinding ${JSON.stringify(tokenBinding)}`, { clientData: { tokenBinding } }] as const,
    ),
    ...["type", "origin", "challenge"].flatMap((member) =>
      [undefined, null, 1, []].map(
        (value) => [`${member} ${JSON.stringify(value)}`, { clientData: { [member]: value } }] as const,
      ),
    ),
    ...["https://evil.example", "https://BACKUP.example", "https://backup.example/", APP_ORIGIN].map(
      (origin) => [`origin ${origin}`, { origin }] as const,
    ),
    ...EXTENSIONS.map((extensions, index) => [`extensions ${index}`, { extensions }] as const),
    ...CLIENT_RESULTS.map(
      (clientExtensionResults, index) => [`client results ${index}`, { clientExtensionResults }] as const,
    ),
    ...[{ first: "AAAA" }, { second: [1] }, "AAAA", 1, true].map(
      (results) =>
        [`PRF ${JSON.stringify(results)}`, { clientExtensionResults: { prf: { results } } }] as const,
    ),
    ...["up", "uv", "be", "bs"].flatMap((flag) =>
      [true, false].map((set) => [`${flag} ${set}`, { flags: { [flag]: set } }] as const),
    ),
    ["no JSON", { clientDataText: () => "{" }],
    ["a list", { clientDataText: (members) => JSON.stringify([members]) }],
    ["a byte order mark", { clientDataText: (members) => `\ufeff${JSON.stringify(members)}` }],
    ["another relying party", { rpId: "evil.example" }],
    ["another key", { wrongKey: true }],
  ];

  test.each(oddities)("checks %s as an assertion does", async (_, tweaks) => {
    const device = new SoftwareAuthenticator();
    const { credential } = await register(device, {});
    const registers = await isAccepted(() => register(device, { attestation: "self", ...tweaks }));
    expect(await isAccepted(() => assert(device, credential, tweaks))).toBe(registers);
  });

  test("and asserts in the usual way is accepted by another implementation too", async () => {
    for (const algorithm of ["ES256", "RS256"] as const)
      for (const attestation of ["none", "self"]) {
        const device = new SoftwareAuthenticator({ algorithm });
        const { credential } = await register(device, { attestation });
        const expected = { expectedOrigin: [...config.origins], expectedRPID: config.rpId };
        const creation = creationOptions(config, systemRandom, {
          platform: "IOS",
          name: "m",
          displayName: "M",
        });
        const registered = await verifyRegistrationResponse({
          ...expected,
          response: standardRegistration(device.register(creation.options, { attestation })),
          expectedChallenge: creation.options.publicKey.challenge,
        });
        expect(registered.verified).toBe(true);
        const theirs = registered.registrationInfo;
        expect({
          publicKey: Buffer.from(theirs?.credential.publicKey ?? []).toString("base64url"),
          counter: theirs?.credential.counter,
          aaguid: theirs?.aaguid,
          deviceType: theirs?.credentialDeviceType,
          backedUp: theirs?.credentialBackedUp,
          userVerified: theirs?.userVerified,
        }).toEqual({
          publicKey: credential.publicKey,
          counter: credential.counter,
          aaguid: credential.aaguid,
          deviceType: credential.deviceType,
          backedUp: credential.backedUp,
          userVerified: credential.userVerified,
        });
        const { options } = requestOptions(config, systemRandom);
        const asserted = await verifyAuthenticationResponse({
          ...expected,
          response: standardAssertion(device.assert(options)),
          expectedChallenge: options.publicKey.challenge,
          credential: {
            id: device.credentialId.toString("base64url"),
            publicKey: new Uint8Array(Buffer.from(credential.publicKey, "base64url")),
            counter: 0,
          },
        });
        expect(asserted.verified).toBe(true);
      }
  });
});

type Sent<T extends "register" | "assert"> = ReturnType<SoftwareAuthenticator[T]>;

/** The standard's types, in which binary members are texts. */
function standardRegistration({ id, rawId, response }: Sent<"register">) {
  return {
    ...{ id: String(id), rawId: String(rawId), type: "public-key" as const, clientExtensionResults: {} },
    response: {
      clientDataJSON: String(response.clientDataJSON),
      attestationObject: String(response.attestationObject),
    },
  };
}

function standardAssertion({ id, rawId, response }: Sent<"assert">) {
  return {
    ...{ id: String(id), rawId: String(rawId), type: "public-key" as const, clientExtensionResults: {} },
    response: {
      clientDataJSON: String(response.clientDataJSON),
      authenticatorData: String(response.authenticatorData),
      signature: String(response.signature),
    },
  };
}
