import { describe, expect, test } from "bun:test";
import { fromLegacy } from "../../../src/backups/legacy/from-legacy.ts";
import { readLegacyMetadata } from "../../../src/backups/legacy/metadata.ts";
import { toLegacy } from "../../../src/backups/legacy/to-legacy.ts";
import { isBackupId } from "../../../src/protocol/backup.ts";
import type { JsonObject } from "../../../src/storage/contract.ts";
import { newPasskey } from "../../support/factors.ts";
import { legacyPasskey, legacyUser } from "../../support/legacy-users.ts";

const ISSUERS = { GOOGLE: "https://google", APPLE: "https://apple" };
const DIGITS = "ab".repeat(32);

const read = (metadata: JsonObject) =>
  fromLegacy(readLegacyMetadata(String(metadata.id), JSON.stringify(metadata)), ISSUERS);
const withMain = (kind: JsonObject) => legacyUser({ mains: [{ ...legacyPasskey(), kind }] }).metadata;
const mainOf = (kind: JsonObject) => read(withMain(kind)).factors[0]?.kind;

describe("what is taken over", () => {
  test("an id has one of the forms that ids have had", () => {
    const uuid = "01234567-89ab-cdef-0123-456789abcdef";
    for (const id of [
      uuid,
      uuid.toUpperCase(),
      `backup_account_${DIGITS}`,
      `backup_account_02${DIGITS.toUpperCase()}`,
    ])
      expect({ id, isOne: isBackupId(id) }).toEqual({ id, isOne: true });
    for (const id of [
      "",
      "logs",
      `${uuid} `,
      uuid.replaceAll("-", ""),
      `backup_account_2${DIGITS}`,
      `BACKUP_ACCOUNT_${DIGITS}`,
      `backup_account_${DIGITS}0200`,
    ])
      expect({ id, isOne: isBackupId(id) }).toEqual({ id, isOne: false });
  });

  test.each([
    ["2024-01-02T03:04:05Z", 1_704_164_645],
    ["2024-01-02T03:04:05.Z", 1_704_164_645],
    ["2024-01-02T03:04:05.999999999Z", 1_704_164_645],
    ["2024-01-02T03:04:05.5+02:00", 1_704_157_445],
    ["2024-01-02t03:04:05z", 1_704_164_645],
    ["2024-01-02 03:04:05-00:30", 1_704_166_445],
  ])("the time %s", (createdAt, seconds) => {
    const metadata = legacyUser({ createdAt }).metadata;
    expect(read(metadata).factors[0]?.createdAt).toBe(seconds);
    expect(toLegacy(read(metadata), "archive", ISSUERS).factors[0]?.createdAt).toBe(createdAt);
  });

  test.each([
    "",
    "yesterday",
    "2024-01-02",
    "2024-13-02T03:04:05Z",
    "2023-02-29T03:04:05Z",
    "2024-01-02T24:00:00Z",
    "2024-01-02T03:04:05",
    "2024-01-02T03:04:05.1234567890Z",
  ])("not the time '%s'", (createdAt) => {
    expect(() => read(legacyUser({ createdAt }).metadata)).toThrow(
      "the time of a factor is not one of RFC 3339",
    );
  });

  test.each([
    [DIGITS, DIGITS],
    [`0x${DIGITS}`, DIGITS],
    [`0x${DIGITS.toUpperCase()}`, DIGITS],
    ["Something else", "Something else"],
  ])("the manifest hash %s, which comes back until another one is current", (written, canonical) => {
    const metadata = read(legacyUser({ writeHash: () => written }).metadata);
    expect(metadata.manifestHash).toBe(canonical);
    expect(toLegacy(metadata, "archive", ISSUERS).manifestHash).toBe(written);
    const synced = { ...metadata, manifestHash: "0".repeat(64) };
    expect(toLegacy(synced, "archive", ISSUERS).manifestHash).toBe("0".repeat(64));
  });

  test.each([
    [{ email: "ada@example.com" }, "ad***@example.com"],
    [{ maskedEmail: "ad***@example.com" }, "ad***@example.com"],
    [{ maskedEmail: "t***@example.com", email: "tom@example.com" }, "t***@example.com"],
    [{ maskedEmail: "ada@example.com" }, "ad***@example.com"],
    [{ maskedEmail: "", email: "ada@example.com" }, "ad***@example.com"],
    [{ maskedEmail: null, email: "ada@example.com" }, "ad***@example.com"],
    [{ maskedEmail: "ad***@example.com", email: null }, "ad***@example.com"],
    [{}, ""],
    [{ emailAddress: "ada@example.com", since: 5 }, ""],
  ])("an account with %j has a mask and no address", (members, maskedEmail) => {
    const kind = mainOf({
      kind: "OIDC_ACCOUNT",
      account: { kind: "APPLE", sub: "s", ...members },
      turnkeyProviderId: "t",
    });
    expect(kind).toMatchObject({ account: { issuer: "https://apple", sub: "s", maskedEmail } });
    expect(JSON.stringify(kind)).not.toContain("ada@example.com");
  });

  test("optional members that are null", () => {
    const { kind } = legacyPasskey();
    expect(mainOf({ ...kind, label: null })).toMatchObject({ label: "" });
    const metadata = read({ ...legacyUser().metadata, archiveId: null, encryptionPublicKey: null });
    expect(metadata).not.toHaveProperty("encryptionPublicKey");
  });

  test("the counter of a passkey comes back as it is now, and the rest of it as it was", () => {
    const { kind } = legacyPasskey(newPasskey(), { encoding: "bytes" });
    const metadata = read(withMain(kind));
    const [factor] = metadata.factors;
    if (factor?.kind.kind !== "PASSKEY") throw new Error("the factor is no passkey");
    const credential = { ...factor.kind.credential, counter: 41 };
    const counted = { ...metadata, factors: [{ ...factor, kind: { ...factor.kind, credential } }] };
    const [back] = toLegacy(counted, "archive", ISSUERS).factors;
    const { webauthnCredential } = kind as { webauthnCredential: { cred: JsonObject } };
    expect(back?.kind).toMatchObject({
      webauthnCredential: { ...webauthnCredential, cred: { ...webauthnCredential.cred, counter: 41 } },
    });
  });

  test("the model of the authenticator is read from the registration, if that can be read", () => {
    const { kind } = legacyPasskey();
    expect(mainOf(kind)).toMatchObject({ credential: { aaguid: "08987058-cadc-4b81-b6e1-30de50dcbe96" } });
    const bare = { ...kind, registration: { id: "?" } };
    expect(mainOf(bare)).toMatchObject({ credential: { aaguid: "00000000-0000-0000-0000-000000000000" } });
  });
});

describe("what cannot be taken over", () => {
  const { kind } = legacyPasskey();
  const { webauthnCredential } = kind as { webauthnCredential: { cred: JsonObject } };
  const withKey = (cred: JsonObject) => ({
    ...kind,
    webauthnCredential: { cred: { ...webauthnCredential.cred, ...cred } },
  });
  const point = {
    x: Buffer.alloc(32, 1).toString("base64url"),
    y: Buffer.alloc(32, 1).toString("base64url"),
  };

  test.each([
    [
      "an algorithm",
      { cred: { type_: "ES384", key: { RSA: { n: "AQAB", e: [1, 0, 1] } } } },
      "a passkey has an unknown algorithm",
    ],
    [
      "a key of another algorithm",
      { cred: { type_: "ES256", key: { RSA: { n: "AQAB", e: [1, 0, 1] } } } },
      "the key of a passkey is not of its algorithm",
    ],
    [
      "a point that is not on the curve",
      { cred: { type_: "ES256", key: { EC_EC2: { curve: "SECP256R1", ...point } } } },
      "the key of a passkey cannot be used: the point is not on P-256",
    ],
    [
      "a small RSA key",
      { cred: { type_: "RS256", key: { RSA: { n: "AQAB", e: [1, 0, 1] } } } },
      "the key of a passkey cannot be used: the RSA key is too small",
    ],
    ["an id that is not base64", { cred_id: "no base64!" }, "a binary member of a passkey is not base64"],
  ])("a passkey with %s", (_what, cred, message) => {
    expect(() => mainOf(withKey(cred))).toThrow(message);
  });

  test.each([
    ["another curve", { cred: { type_: "ES256", key: { EC_EC2: { curve: "SECP384R1", ...point } } } }],
    ["a byte above 255", { cred_id: [256] }],
    ["a negative counter", { counter: -1 }],
  ])("a passkey with %s", (_what, cred) => {
    expect(() => mainOf(withKey(cred))).toThrow("the metadata cannot be read at /factors/0/kind");
  });

  test.each([
    "",
    ".",
    "..",
    "../metadata",
    "../../other/backup",
    "a/b",
    "a%2fb",
    "a?b",
    "\ud800",
    "a".repeat(129),
  ])("an archive '%s', which could name another object", (archiveId) => {
    expect(() => read({ ...legacyUser().metadata, archiveId })).toThrow(
      "the metadata cannot be read at /archiveId",
    );
  });

  const { metadata } = legacyUser();
  const text = JSON.stringify(metadata);
  const withMember = (member: string) => `${text.slice(0, -1)},${member}}`;
  const nested = (depth: number) => `"future":${"[".repeat(depth)}${"]".repeat(depth)}`;

  test.each([
    ["the factors twice", withMember('"factors":[]'), "the metadata has a member twice"],
    ["a member of a member twice", withMember('"future":[{"a":1,"b":2,"a":3}]'), "has a member twice"],
    ["a member twice in two forms", withMember('"\\u0069d":"?"'), "the metadata has a member twice"],
    ["one behind an escaped quotation mark", withMember('"x":"\\"","a":1,"a":2'), "has a member twice"],
    ["too many arrays", withMember(nested(200_000)), "the metadata is nested too deeply"],
    ["one array too many", withMember(nested(128)), "the metadata is nested too deeply"],
  ])("metadata with %s", (_what, ambiguous, message) => {
    expect(() => readLegacyMetadata(String(metadata.id), ambiguous)).toThrow(message);
  });

  test("metadata of another backup, and what is no object", () => {
    expect(() => readLegacyMetadata(String(legacyUser().metadata.id), text)).toThrow(
      "the metadata is that of another backup",
    );
    expect(() => readLegacyMetadata("", "[]")).toThrow("the metadata cannot be read at /: ");
  });

  test("metadata where only values and members of different objects are alike can be", () => {
    const alike = withMember(
      `"a":{"a":"a"},"b":["a","a","a",{"b":1},{"b":"{\\"b\\":[","c":"\\\\"}],${nested(127)}`,
    );
    expect(readLegacyMetadata(String(metadata.id), alike)).toMatchObject({ a: { a: "a" } });
  });

  test("an account of an issuer that the service does not have has no way back", () => {
    const account = { kind: "GOOGLE", sub: "s" };
    const metadata = read(withMain({ kind: "OIDC_ACCOUNT", account, turnkeyProviderId: "t" }));
    expect(() => toLegacy(metadata, "archive", { ...ISSUERS, GOOGLE: "https://other" })).toThrow(
      "an account is of another issuer than GOOGLE_ISSUER or APPLE_ISSUER",
    );
  });
});
