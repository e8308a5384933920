/** How what was made here, and has no form of the other service, is written there. */
import { describe, expect, test } from "bun:test";
import { credentialFromLegacy, credentialToLegacy } from "../../../src/backups/legacy/credential.ts";
import { fromLegacy } from "../../../src/backups/legacy/from-legacy.ts";
import {
  isLegacyCredential,
  type LegacyCredential,
  readLegacyMetadata,
} from "../../../src/backups/legacy/metadata.ts";
import { toLegacy } from "../../../src/backups/legacy/to-legacy.ts";
import type { JsonObject } from "../../../src/storage/contract.ts";
import { newPasskey } from "../../support/factors.ts";
import { legacyPasskey, legacyUser } from "../../support/legacy-users.ts";

const ISSUERS = { GOOGLE: "https://google", APPLE: "https://apple" };
const RSA_MODULUS = `${"_".repeat(341)}w`;

function storedPasskey(change: JsonObject = {}, registration: unknown = {}) {
  const { webauthnCredential } = legacyPasskey(newPasskey()).kind;
  if (!isLegacyCredential(webauthnCredential)) throw new Error("the passkey is not one of the other service");
  const legacy: LegacyCredential = { cred: { ...webauthnCredential.cred, ...change } };
  return { legacy, ...credentialFromLegacy(legacy, registration) };
}

const rsa = (e: readonly number[]) => ({
  cred: { type_: "RS256", key: { RSA: { n: RSA_MODULUS, e: [...e] } } },
});

describe("a passkey", () => {
  test("that was registered here is written as the other service writes its own", () => {
    const { legacy, credentialId, credential } = storedPasskey();
    const written = credentialToLegacy(credentialId, {
      ...credential,
      counter: 7,
      transports: ["usb", "nfc", "ble", "smart-card", "internal", "hybrid"],
      backedUp: false,
      userVerified: false,
    });
    expect(written).toEqual({
      cred: {
        ...legacy.cred,
        counter: 7,
        transports: ["usb", "nfc", "ble", "internal", "hybrid"],
        user_verified: false,
        backup_state: false,
        extensions: {
          cred_protect: "Ignored",
          hmac_create_secret: "NotRequested",
          appid: "NotRequested",
          cred_props: "Ignored",
        },
        attestation: { data: "None", metadata: "None" },
        attestation_format: "none",
        registration_policy: "required",
      },
    } as JsonObject as LegacyCredential);
  });

  test.each([[[]], [["smart-card"]]])("with the transports %j is written with none", (transports) => {
    const { credentialId, credential } = storedPasskey();
    expect(credentialToLegacy(credentialId, { ...credential, transports }).cred.transports).toBeNull();
  });

  test.each([
    ["multiDevice", true],
    ["singleDevice", false],
  ])("of the type %s can be backed up there: %p", (deviceType, eligible) => {
    const { credentialId, credential } = storedPasskey({ backup_eligible: eligible });
    expect(credential.deviceType as string).toBe(deviceType);
    expect(credentialToLegacy(credentialId, credential).cred.backup_eligible).toBe(eligible);
  });

  test("has the transports of its registration, else those of its credential, else none", () => {
    const { registration } = legacyPasskey().kind;
    const registered = credentialFromLegacy(storedPasskey().legacy, registration).credential.transports;
    expect(registered.length).toBeGreaterThan(0);
    expect(storedPasskey({ transports: ["ble"] }, registration).credential.transports).toEqual(registered);
    expect(storedPasskey({ transports: ["ble"] }).credential.transports).toEqual(["ble"]);
    expect(storedPasskey({ transports: null }).credential.transports).toEqual([]);
  });

  test("with an RSA key has an exponent of three bytes there", () => {
    const credentialId = "AQ";
    for (const exponent of [
      [0, 0, 3],
      [1, 0, 1],
    ]) {
      const { credential } = storedPasskey(rsa(exponent));
      expect(credentialToLegacy(credentialId, credential).cred.cred).toEqual(rsa(exponent).cred);
    }
    const { credential: long } = storedPasskey(rsa([1, 0, 0, 1]));
    expect(() => credentialToLegacy(credentialId, long)).toThrow(
      "the other service cannot hold the exponent of an RSA key",
    );
  });
});

describe("metadata", () => {
  const usual = legacyUser({ mains: [legacyPasskey()], createdAt: "2024-01-02T03:04:05Z" }).metadata;

  test("in the usual forms are kept in no other form", () => {
    const read = (metadata: JsonObject) =>
      fromLegacy(readLegacyMetadata(String(metadata.id), JSON.stringify(metadata)), ISSUERS);
    const first = read(usual);
    expect(JSON.stringify(first)).not.toContain("AsWritten");
    const written = toLegacy(withoutKept(first), "archive", ISSUERS);
    expect(written.factors[0]?.createdAt).toBe("2024-01-02T03:04:05Z");
    const again = read(written as JsonObject);
    expect(JSON.stringify(again)).not.toContain("AsWritten");
    expect(JSON.stringify(again)).not.toContain("webauthnCredential");
  });
});

function withoutKept(metadata: ReturnType<typeof fromLegacy>): ReturnType<typeof fromLegacy> {
  return JSON.parse(JSON.stringify(metadata), (name, value) =>
    name === "webauthnCredential" || name.endsWith("AsWritten") ? undefined : value,
  );
}
