/** What a factor of the client is made of. */
import { describe, expect, test } from "bun:test";
import { createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import {
  idToken,
  idTokenNonce,
  type KeypairFactor,
  keypair,
  keypairOf,
  PrfUnavailableError,
  passkey,
} from "../../src/client/index.ts";
import { nonceOf } from "../../src/proofs/identity/oidc.ts";
import { softwarePasskeys } from "../support/software-passkeys.ts";

const MESSAGE = Uint8Array.of(1, 2, 3);
const CREATION = {
  publicKey: { rp: { name: "b", id: "localhost" }, challenge: "AAAA", extensions: { uvm: true } },
} as unknown as Parameters<ReturnType<typeof passkey>["register"]>[0]; // only these members matter here
const REQUEST = {
  publicKey: { challenge: "AAAA", extensions: { uvm: true } },
} as unknown as Parameters<ReturnType<typeof passkey>["assert"]>[0]; // only these members matter here

async function verifies(factor: KeypairFactor): Promise<boolean> {
  const point = Buffer.from(factor.publicKey, "base64");
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((part) => part.toString("base64url"));
  const key = createPublicKey({ format: "jwk", key: { kty: "EC", crv: "P-256", x: x ?? "", y: y ?? "" } });
  return verify("sha256", MESSAGE, key, await factor.sign(MESSAGE));
}

describe("a keypair", () => {
  test("cannot be exported, unless the app wants that", async () => {
    expect((await keypair()).keys.privateKey.extractable).toBe(false);
    expect((await keypair({ extractable: true })).keys.privateKey.extractable).toBe(true);
  });

  test("is the same one when its keys were kept", async () => {
    const kept = await keypair();
    const again = await keypair(structuredClone(kept.keys));
    expect(again.publicKey).toBe(kept.publicKey);
    expect(await verifies({ ...kept, sign: again.sign })).toBe(true);
  });

  test.each(["der", "raw"] as const)("may sign elsewhere, in the form %s", async (signatureFormat) => {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const point = publicKey.export({ format: "der", type: "spki" }).subarray(-65);
    const dsaEncoding = signatureFormat === "raw" ? "ieee-p1363" : "der";
    const signer = (message: Uint8Array) => sign("sha256", message, { key: privateKey, dsaEncoding });
    for (let n = 0; n < 50; n++)
      expect(await verifies(keypairOf({ publicKey: point, sign: signer, signatureFormat }))).toBe(true);
  });

  test.each([0, 33, 64, 66])("is refused when its public key has %p bytes", (length) => {
    expect(() => keypairOf({ publicKey: new Uint8Array(length).fill(4), sign: () => MESSAGE })).toThrow(
      TypeError,
    );
  });

  test("is refused when its public key is compressed", () => {
    expect(() => keypairOf({ publicKey: new Uint8Array(65).fill(2), sign: () => MESSAGE })).toThrow(
      TypeError,
    );
  });
});

describe("an account", () => {
  test("signs in with the nonce of the published example", async () => {
    const compressed = "0394e549c71fa99dd5cf752fba623090be314949b74e4cdf7ca72031dd638e281a";
    const uncompressed = `04${compressed.slice(2)}${"0".repeat(62)}01`; // only the parity of y counts
    expect(await idTokenNonce(Buffer.from(uncompressed, "hex").toString("base64"))).toBe(
      "1663bba492a323085b13895634a3618792c4ec6896f3c34ef3c26396df22ef82",
    );
  });

  test("signs in with the nonce that the service expects, and a new key each time", async () => {
    const nonces = new Map<string, string>();
    const account = idToken({
      provider: "APPLE",
      clientId: "org.example.web",
      async signIn(nonce, publicKey) {
        nonces.set(nonce, publicKey);
        return `token ${nonces.size}`;
      },
    });
    const [first, second] = [await account.signIn(), await account.signIn()];
    for (const [nonce, publicKey] of nonces) expect(nonce).toBe(nonceOf(publicKey) ?? "");
    expect([first.idToken, second.idToken, nonces.size]).toEqual(["token 1", "token 2", 2]);
    expect(await second.authorize(MESSAGE)).toMatchObject({
      kind: "OIDC_ACCOUNT",
      oidcToken: { kind: "APPLE", token: "token 2", aud: "org.example.web" },
      publicKey: [...nonces.values()][1] ?? "",
    });
  });
});

describe("a passkey", () => {
  test.each(["always", "when used"] as const)("keeps a secret that the device returns %s", async (prf) => {
    const passkeys = softwarePasskeys({ prf });
    const factor = passkey({ passkeys, label: "phone" });
    expect(factor.prf).toBeNull();
    const { credential, label } = await factor.register(CREATION);
    const secret = factor.prf;
    expect([secret?.length, label]).toEqual([32, "phone"]);
    expect(credential).toMatchObject({ clientExtensionResults: { prf: { enabled: true } } });
    const used = await factor.assert(REQUEST);
    expect(factor.prf).toEqual(secret);
    expect(passkeys.asked).toHaveLength(prf === "always" ? 2 : 3);
    for (const sent of [credential, used.credential])
      for (const name of ["results", "hmacGetSecret", "first"])
        expect(JSON.stringify(sent)).not.toContain(`"${name}"`);
  });

  test("evaluates the secret of the very passkey that was made", async () => {
    const passkeys = softwarePasskeys();
    const { credential } = await passkey({ passkeys }).register(CREATION);
    const [, evaluation] = passkeys.asked;
    expect(evaluation?.allowCredentials).toEqual([
      expect.objectContaining({ id: Reflect.get(credential, "id") }),
    ]);
  });

  test.each([
    ["base64url", (secret: Buffer) => secret.toString("base64url")],
    ["an ArrayBuffer", (secret: Buffer) => new Uint8Array(secret).buffer],
    ["bytes", (secret: Buffer) => secret],
    ["numbers", (secret: Buffer) => [...secret]],
  ])("takes a secret that a native module returns as %s", async (_, secretAs) => {
    const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const device = softwarePasskeys({ prf: "always", secretAs, keys });
    const factor = passkey({ passkeys: device });
    const { credential } = await factor.register(CREATION);
    expect(factor.prf).toHaveLength(32);
    expect(JSON.stringify(credential)).not.toContain("results");
  });

  test("without the extension is an error, unless the app needs no secret", async () => {
    const passkeys = softwarePasskeys({ prf: "never" });
    await expect(passkey({ passkeys }).register(CREATION)).rejects.toBeInstanceOf(PrfUnavailableError);
    await expect(passkey({ passkeys }).assert(REQUEST)).rejects.toBeInstanceOf(PrfUnavailableError);
    const factor = passkey({ passkeys, prfInput: null });
    await factor.register(CREATION);
    await factor.assert(REQUEST);
    expect(factor.prf).toBeNull();
    expect(passkeys.asked.at(-1)?.extensions).toEqual({ uvm: true } as object);
  });

  test("of a platform without passkeys says so", async () => {
    await expect(passkey().register(CREATION)).rejects.toThrow("navigator.credentials");
  });
});
