import { describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { encodeHex, sha256 } from "../../src/crypto/encoding.ts";
import {
  authorisedBy,
  authorisedIn,
  bindingDigest,
  encodedMaterial,
  type Material,
  requireBinding,
} from "../../src/proofs/binding.ts";
import type { EncryptionKey } from "../../src/protocol/encryption-key.ts";
import { codeOf } from "../support/error-of.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { newPasskey } from "../support/factors.ts";

const CHALLENGE = Uint8Array.from({ length: 32 }, (_, index) => index);

function account(token: string, more: Partial<Material> = {}): Material {
  const oidcToken = { kind: "GOOGLE", token } as const;
  const newFactorAuthorization = { kind: "OIDC_ACCOUNT", oidcToken, publicKey: "", signature: "" } as const;
  return { newFactorAuthorization, ...more };
}

const TURNKEY: EncryptionKey = {
  kind: "TURNKEY",
  encryptedKey: "ek",
  turnkeyAccountId: "acct",
  turnkeyUserId: "user",
  turnkeyPrivateKeyId: "pk",
};
const WITH_KEY = account("a.b.c", { turnkeyProviderId: "tp", encryptedBackupKey: TURNKEY });
/** No canonical form exists of a key that cannot be read. */
const UNENCODABLE: Material = {
  newFactorAuthorization: { kind: "EC_KEYPAIR", publicKey: "?", signature: "" },
};

const hexOf = (bytes: Uint8Array | null) => bytes && encodeHex(bytes);
const lp = (value: string | Uint8Array) => {
  const bytes = Buffer.from(value);
  return bytes.length.toString(16).padStart(8, "0") + bytes.toString("hex");
};

describe("the digest of an addition", () => {
  test.each([
    [account("a.b.c"), "a635e84476fa3d9ee0cfe587c87b47ebd7616c27ec653eb3df7837818fa572ea"],
    [
      account("a.b.c", { turnkeyProviderId: null, encryptedBackupKey: null }),
      "a635e84476fa3d9ee0cfe587c87b47ebd7616c27ec653eb3df7837818fa572ea",
    ],
    [WITH_KEY, "5ec77ec03e7115e3013b7765472a74e1e2f977d20606f4648412cb822e31b602"],
  ])("is what clients compute, vector %#", (material, digest) => {
    expect(hexOf(bindingDigest(material))).toBe(digest);
  });

  test("is over the tag of 36 bytes and the canonical form", () => {
    const encoded = encodedMaterial(WITH_KEY) ?? new Uint8Array();
    const tagged = Buffer.concat([Buffer.from("backup-service:add-factor-binding:v1"), encoded]);
    expect(tagged.length - encoded.length).toBe(36);
    expect(hexOf(bindingDigest(WITH_KEY))).toBe(encodeHex(sha256(tagged)));
  });
});

describe("the canonical form of an addition", () => {
  test("of an account is the id_token, then what is absent", () => {
    expect(hexOf(encodedMaterial(account("a.b.c")))).toBe("0200000005612e622e630000");
  });

  test.each([
    [{ kind: "PRF", encryptedKey: "ä" }, `01${lp("ä")}`],
    [{ kind: "ICLOUD", encryptedKey: "" }, "0200000000"],
    [TURNKEY, `03${lp("ek")}${lp("acct")}${lp("user")}${lp("pk")}`],
  ] as const)("ends with the encryption key, as with %j", (encryptedBackupKey, key) => {
    const material = account("t", { turnkeyProviderId: "p", encryptedBackupKey });
    expect(hexOf(encodedMaterial(material))).toBe(`02${lp("t")}01${lp("p")}01${key}`);
  });

  test("of a keypair is its point", () => {
    const { publicKey } = createFactorKeypair();
    const newFactorAuthorization = { kind: "EC_KEYPAIR", publicKey, signature: "" } as const;
    const point = Buffer.from(publicKey, "base64");
    expect(point).toHaveLength(65);
    expect(hexOf(encodedMaterial({ newFactorAuthorization }))).toBe(`03${lp(point)}0000`);
  });

  test("of a passkey is its id, its point, its label and its registration", () => {
    const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const passkey = newPasskey({ keys });
    const { credential } = passkey.registerWith("AAAA", {});
    const { response } = credential as { response: { clientDataJSON: string; attestationObject: string } };
    const { x, y } = keys.publicKey.export({ format: "jwk" });
    const point = Buffer.concat([
      Uint8Array.of(4),
      Buffer.from(x ?? "", "base64url"),
      Buffer.from(y ?? "", "base64url"),
    ]);
    const registered = [response.clientDataJSON, response.attestationObject].map((text) =>
      lp(Buffer.from(text, "base64url")),
    );
    const start = `01${lp(passkey.authenticator.credentialId)}${lp(point)}`;
    for (const label of ["My phone 📱", "", undefined, null]) {
      const newFactorAuthorization = {
        kind: "PASSKEY",
        credential: credential as object,
        ...(label === undefined ? {} : { label }),
      } as const;
      expect(hexOf(encodedMaterial({ newFactorAuthorization }))).toBe(
        `${start}${lp(label ?? "")}${registered.join("")}0000`,
      );
    }
  });

  test("of an RS256 passkey, or of what is no factor, does not exist", () => {
    const { credential } = newPasskey({ algorithm: "RS256" }).registerWith("AAAA", {});
    const assertion = newPasskey().proveWith("AAAA", {}).credential;
    for (const none of [credential, assertion, {}])
      expect(
        encodedMaterial({ newFactorAuthorization: { kind: "PASSKEY", credential: none as object } }),
      ).toBeNull();
    const newFactorAuthorization = { kind: "EC_KEYPAIR", publicKey: "no base64", signature: "" } as const;
    expect(encodedMaterial({ newFactorAuthorization })).toBeNull();
    expect(bindingDigest({ newFactorAuthorization })).toBeNull();
  });

  test("differs between any two additions", () => {
    const text = fc.string({ maxLength: 6, unit: "binary" });
    const key = fc.oneof(
      fc.record({ kind: fc.constantFrom("PRF" as const, "ICLOUD" as const), encryptedKey: text }),
      fc.record({
        kind: fc.constant("TURNKEY" as const),
        encryptedKey: text,
        turnkeyAccountId: text,
        turnkeyUserId: text,
        turnkeyPrivateKeyId: text,
      }),
    );
    const nullable = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });
    const parts = fc.tuple(text, nullable(text), nullable(key));
    const encoded = ([token, turnkeyProviderId, encryptedBackupKey]: [
      string,
      string | null,
      EncryptionKey | null,
    ]) => hexOf(encodedMaterial(account(token, { turnkeyProviderId, encryptedBackupKey })));
    fc.assert(
      fc.property(parts, parts, (one, other) => {
        const isSame = JSON.stringify(one) === JSON.stringify(other);
        expect(encoded(one) === encoded(other)).toBe(isSame);
      }),
    );
  });
});

describe("what an existing factor authorised", () => {
  const digest = bindingDigest(WITH_KEY) ?? new Uint8Array();
  const bound = Buffer.concat([CHALLENGE, digest]);
  const unbound = { message: CHALLENGE, digest: null };

  test("is challenge and digest where a ceremony names 64 bytes that begin with the challenge", () => {
    expect(authorisedIn(bound, CHALLENGE)).toEqual({ message: bound, digest: Buffer.from(digest) });
    for (const named of [
      null,
      new Uint8Array(),
      CHALLENGE,
      bound.subarray(0, 63),
      Buffer.concat([bound, Uint8Array.of(0)]),
      Buffer.concat([digest, CHALLENGE]),
    ])
      expect(authorisedIn(named, CHALLENGE)).toEqual(unbound);
  });

  test("is the form that the signature verifies for", () => {
    const keypair = createFactorKeypair();
    const by = (message: Uint8Array, { publicKey } = keypair) =>
      authorisedBy(
        { publicKey, signature: keypair.sign(Buffer.from(message).toString("base64")) },
        CHALLENGE,
        WITH_KEY,
      );
    expect(by(CHALLENGE)).toEqual(unbound);
    expect(by(bound)).toEqual({ message: bound, digest });
    for (const other of [digest, Buffer.concat([CHALLENGE, sha256("")]), Buffer.concat([digest, CHALLENGE])])
      expect(by(other)).toEqual(unbound);
    expect(by(bound, createFactorKeypair())).toEqual(unbound);
    expect(authorisedBy({ publicKey: "", signature: "" }, CHALLENGE, WITH_KEY)).toEqual(unbound);
    expect(authorisedBy({ publicKey: "", signature: "" }, CHALLENGE, UNENCODABLE)).toEqual(unbound);
  });

  test("must be the digest of what is added, and may be none unless one is required", async () => {
    const check = (authorised: Uint8Array | null, material: Material, binding: "optional" | "required") =>
      requireBinding({ message: CHALLENGE, digest: authorised }, material, { binding });
    const mismatch = "existing_factor_material_binding_mismatch";
    for (const binding of ["optional", "required"] as const) {
      check(digest, WITH_KEY, binding);
      expect(await codeOf(() => check(digest, account("a.b.c"), binding))).toBe(mismatch);
      expect(await codeOf(() => check(digest, UNENCODABLE, binding))).toBe(mismatch);
    }
    check(null, WITH_KEY, "optional");
    expect(await codeOf(() => check(null, WITH_KEY, "required"))).toBe(mismatch);
  });
});
