import { describe, expect, test } from "bun:test";
import { encodeBase64Url, encodeHex, sha256 } from "../../../src/crypto/encoding.ts";
import { createPasskeyVerifier } from "../../../src/proofs/passkey/passkey.ts";
import { creationOptions } from "../../../src/proofs/passkey/webauthn-options.ts";
import { PossibleReplay } from "../../../src/proofs/possible-replay.ts";
import { challengeInActivity } from "../../../src/proofs/turnkey/activity.ts";
import {
  type ExpectedStamp,
  readTurnkeyStamp,
  verifyTurnkeyStamp,
} from "../../../src/proofs/turnkey/stamp.ts";
import { systemRandom } from "../../../src/runtime/clock.ts";
import { codeOf, errorOf } from "../../support/error-of.ts";
import { SettableClock } from "../../support/settable-clock.ts";
import {
  type BinaryEncoding,
  SoftwareAuthenticator,
  type Tweaks,
} from "../../support/software-authenticator.ts";
import { turnkeyActivity } from "../../support/turnkey-activity.ts";

const clock = new SettableClock();
const config = { rpId: "backup.example", rpName: "Backup", origins: ["https://backup.example"] };
const challenge = new Uint8Array(32).fill(7);
const nonce = { id: "challenge", expiresAtMs: 1 };
const ORGANIZATION = "17d89304-c865-4485-ba45-277a5f2076af";

async function passkey(options: ConstructorParameters<typeof SoftwareAuthenticator>[0] = {}) {
  const device = new SoftwareAuthenticator(options);
  const creation = creationOptions(config, systemRandom, { platform: "IOS", name: "me", displayName: "Me" });
  const verifier = createPasskeyVerifier(config);
  const { credential } = await verifier.verifyRegistration(
    device.register(creation.options),
    creation.challenge,
  );
  return { device, credential };
}
const { device, credential } = await passkey();

const activityWith = (overrides: Record<string, unknown> = {}) =>
  turnkeyActivity({ challenge, organizationId: ORGANIZATION, nowMs: clock.nowMs() }, overrides);

function verify(activity: string, tweaks: Tweaks = {}, changes: Partial<ExpectedStamp> = {}, by = device) {
  const stamp = readTurnkeyStamp(by.stamp(activity, tweaks), activity);
  const expected = { challenge, nonce, credential, turnkeyAccountId: ORGANIZATION, ...changes };
  return verifyTurnkeyStamp(stamp, expected, config, clock);
}

/** Message of each refusal, to see that they differ. */
const messages = new Map<string, string>();
async function expectRefusal(name: string, act: () => unknown) {
  const error = await errorOf(act);
  expect(error.code).toBe("turnkey_activity_error");
  messages.set(name, error.message);
}

describe("a Turnkey stamp", () => {
  test("on an activity with our challenge is accepted", () => {
    expect(verify(activityWith())).toMatchObject({ counter: 0 });
  });

  test.each<BinaryEncoding>(["base64", "unpadded-base64", "padded-base64url", "bytes"])(
    "with members as %s is accepted",
    (encoding) => {
      expect(verify(activityWith(), { encoding })).toMatchObject({ counter: 0 });
    },
  );

  test("is accepted whatever the organisation when the backup has no Turnkey key", () => {
    expect(verify(activityWith({ organizationId: "other" }), {}, { turnkeyAccountId: null })).toMatchObject({
      counter: 0,
    });
  });

  test("needs no user verification", () => {
    expect(verify(activityWith(), { flags: { uv: false } })).toMatchObject({ counter: 0 });
  });

  test.each([5 * 60_000, 0, -10 * 60_000])("on an activity of %d ms ago is accepted", (ageMs) => {
    expect(verify(activityWith({ timestampMs: String(clock.nowMs() - ageMs) }))).toMatchObject({
      counter: 0,
    });
  });

  test("names the passkey before anything is verified", () => {
    const { assertion } = readTurnkeyStamp(device.stamp("{}", { wrongKey: true }), "{}");
    expect(assertion.credentialId).toBe(device.credentialId.toString("base64url"));
  });
});

describe("before the passkey is known", () => {
  test.each([undefined, null, ""])("the activity %p is missing", async (activity) => {
    const clientExtensionResults = { prf: { results: { first: "AAAA" } } };
    for (const sent of [device.stamp("{}"), null, { clientExtensionResults }])
      expect(await codeOf(() => readTurnkeyStamp(sent, activity))).toBe("missing_turnkey_activity");
  });

  test("what is no WebAuthn object is refused", async () => {
    for (const sent of [null, {}, "x", [], 1])
      expect(await codeOf(() => readTurnkeyStamp(sent, "{}"))).toBe("webauthn_invalid_payload");
  });

  test("PRF results are refused", async () => {
    const sent = device.stamp("{}", { clientExtensionResults: { prf: { results: { first: "AAAA" } } } });
    expect(await codeOf(() => readTurnkeyStamp(sent, "{}"))).toBe("webauthn_prf_results_not_allowed");
  });
});

describe("the challenge in an activity", () => {
  test("is its bytes, before anything is verified", () => {
    const activity = activityWith({ organizationId: "other", timestampMs: "0" });
    expect(challengeInActivity(activity)).toEqual(challenge);
  });

  test.each([
    "{",
    "null",
    "[]",
    "{}",
    activityWith({ metadata: null }),
    activityWith({ metadata: { challenge: 1 } }),
    activityWith({ metadata: { challenge: "not base64" } }),
  ])("is none in %p", (activity) => {
    expect(challengeInActivity(activity)).toBeNull();
  });
});

describe("a stamp is refused", () => {
  test("when the activity was changed after it was stamped", async () => {
    const activity = activityWith();
    for (const changed of [`${activity} `, activity.replace("apiKeys", "apikeys")]) {
      const stamp = readTurnkeyStamp(device.stamp(activity), changed);
      const expected = { challenge, nonce, credential, turnkeyAccountId: ORGANIZATION };
      await expectRefusal("challenge", () => verifyTurnkeyStamp(stamp, expected, config, clock));
    }
  });

  test("when its challenge is not the hex of the hash, or not base64url", async () => {
    const activity = activityWith();
    const hash = sha256(activity);
    for (const wrong of [
      encodeBase64Url(hash),
      encodeHex(hash),
      encodeBase64Url(Buffer.from(encodeHex(hash).toUpperCase())),
      encodeBase64Url(challenge),
      "",
      "!",
    ])
      await expectRefusal("challenge", () => verify(activity, { challenge: wrong }));
  });

  test.each<[string, Tweaks]>([
    ["signature", { wrongKey: true }],
    ["type", { type: "webauthn.create" }],
    ["origin", { origin: "https://evil.example" }],
    ["relying party", { rpId: "evil.example" }],
    ["presence", { flags: { up: false } }],
    ["frame", { clientData: { crossOrigin: true } }],
  ])("for its %s", async (name, tweaks) => {
    await expectRefusal(name, () => verify(activityWith(), tweaks));
  });

  test("when it is of another passkey", async () => {
    const other = await passkey();
    await expectRefusal("signature", () => verify(activityWith(), {}, {}, other.device));
    await expectRefusal("signature", () => verify(activityWith(), {}, { credential: other.credential }));
  });

  test("when the passkey is not ES256", async () => {
    const rsa = await passkey({ algorithm: "RS256" });
    const changes = { credential: rsa.credential };
    await expectRefusal("algorithm", () => verify(activityWith(), {}, changes, rsa.device));
  });

  test("when a byte of it was changed, or bytes follow the signature", async () => {
    const activity = activityWith();
    const stamp = readTurnkeyStamp(device.stamp(activity), activity);
    const expected = { challenge, nonce, credential, turnkeyAccountId: ORGANIZATION };
    for (const name of ["authenticatorData", "signature", "clientDataJson"] as const) {
      const genuine = stamp.assertion[name];
      const malformed = [Uint8Array.of(...genuine, 0), genuine.subarray(0, -1), new Uint8Array()];
      for (let at = 0; at < genuine.length; at += 5)
        malformed.push(genuine.map((byte, index) => (index === at ? byte ^ 1 : byte)));
      for (const bytes of malformed) {
        const assertion = { ...stamp.assertion, [name]: bytes };
        expect(await codeOf(() => verifyTurnkeyStamp({ activity, assertion }, expected, config, clock))).toBe(
          "turnkey_activity_error",
        );
      }
    }
  });

  test.each<[string, Record<string, unknown>]>([
    ["organization", { organizationId: "somebody-elses" }],
    ["organization", { organizationId: undefined }],
    ["organization", { organizationId: [ORGANIZATION] }],
    ["activity type", { type: "ACTIVITY_TYPE_INIT_IMPORT_PRIVATE_KEY" }],
    ["activity type", { type: undefined }],
    ["timestamp", { timestampMs: undefined }],
    ["timestamp", { timestampMs: clock.nowMs() }],
    ["timestamp", { timestampMs: "" }],
    ["timestamp", { timestampMs: "1e12" }],
    ["timestamp", { timestampMs: `${clock.nowMs()}.5` }],
    ["timestamp", { timestampMs: ` ${clock.nowMs()}` }],
    ["timestamp", { timestampMs: `0x${clock.nowMs().toString(16)}` }],
    ["timestamp", { timestampMs: "-1" }],
    ["age", { timestampMs: String(clock.nowMs() - 5 * 60_000 - 1) }],
    ["age", { timestampMs: "0" }],
  ])("for the activity's %s: %p", async (name, overrides) => {
    await expectRefusal(name, () => verify(activityWith(overrides)));
  });

  test("when the activity is no object", async () => {
    for (const activity of ["null", "1", '"x"']) await expectRefusal("object", () => verify(activity));
    for (const activity of ["{", "x", " "]) await expectRefusal("json", () => verify(activity));
  });

  test("with a different message for each reason", () => {
    expect(messages.size).toBeGreaterThan(12);
    expect(new Set(messages.values()).size).toBe(messages.size);
  });

  test.each([
    undefined,
    null,
    1,
    "x",
    {},
    [],
    { challenge: undefined },
    { challenge: 1 },
    { challenge: null },
  ])("when the activity's metadata is %p", async (metadata) => {
    expect(await codeOf(() => verify(activityWith({ metadata })))).toBe("invalid_turnkey_activity");
  });

  test("when the activity carries another challenge", async () => {
    const others = [
      Buffer.alloc(32).toString("base64"),
      "",
      encodeBase64Url(challenge),
      Buffer.from(challenge).toString("hex"),
    ];
    for (const other of others)
      expect(await codeOf(() => verify(activityWith({ metadata: { challenge: other } })))).toBe(
        "invalid_challenge",
      );
  });

  test("for the stamp before the content of the activity, and for that before its challenge", async () => {
    const allWrong = activityWith({ organizationId: "x", type: "x", timestampMs: "0", metadata: {} });
    await expectRefusal("signature", () => verify(allWrong, { wrongKey: true }));
    await expectRefusal("organization", () => verify(allWrong));
    await expectRefusal("activity type", () =>
      verify(activityWith({ type: "x", timestampMs: "0", metadata: {} })),
    );
    await expectRefusal("age", () => verify(activityWith({ timestampMs: "0", metadata: {} })));
  });
});

describe("the signature counter of a stamp", () => {
  test("is returned, and must grow once it is above zero", async () => {
    const counting = await passkey({ counter: 5, deviceBound: true });
    const changes = { credential: counting.credential };
    expect(verify(activityWith(), {}, changes, counting.device)).toMatchObject({ counter: 6 });
    for (const counter of [5, 4, 0]) {
      const error = await errorOf(() => verify(activityWith(), { counter }, changes, counting.device));
      expect(error).toBeInstanceOf(PossibleReplay);
      expect(error).toMatchObject({ nonces: [nonce] });
      expect(error.code).toBe("turnkey_activity_error");
    }
  });

  test("may go back where the passkey is synchronised", async () => {
    const counting = await passkey({ counter: 5 });
    const changes = { credential: counting.credential };
    for (const counter of [5, 4, 0])
      expect(verify(activityWith(), { counter }, changes, counting.device)).toMatchObject({ counter });
  });
});
