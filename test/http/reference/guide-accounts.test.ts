import { describe, expect, test } from "bun:test";
import { verifyAccountSignature } from "../../../src/proofs/account-key.ts";
import { nonceOf } from "../../../src/proofs/identity/oidc.ts";
import { codeOf } from "../../support/error-of.ts";
import { importTypescript, runPython, vectorsOf } from "../../support/guide.ts";

describe("the guide's nonces", async () => {
  const vectors = await vectorsOf<{ publicKey: string; compressed: string; nonce: string }[]>("accounts.md");

  test("are those of the service", () => {
    expect(vectors.length).toBeGreaterThan(1);
    // one point with an odd y, one with an even y
    expect(new Set(vectors.map(({ compressed }) => compressed.slice(0, 2))).size).toBe(2);
    for (const { publicKey, compressed, nonce } of vectors) {
      expect(nonceOf(publicKey)).toBe(nonce);
      expect(Buffer.from(publicKey, "base64").toString("hex").slice(2, 66)).toBe(compressed.slice(2));
    }
  });

  test("are made by its TypeScript", async () => {
    interface Module {
      nonceOf(pair: CryptoKeyPair): Promise<string>;
      nonceOfPoint(point: Uint8Array): Promise<string>;
    }
    const code = await importTypescript<Module>("accounts.md");
    for (const { publicKey, nonce } of vectors)
      expect(await code.nonceOfPoint(Buffer.from(publicKey, "base64"))).toBe(nonce);
    const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
    const point = Buffer.from(await crypto.subtle.exportKey("raw", pair.publicKey));
    expect(await code.nonceOf(pair)).toBe(nonceOf(point.toString("base64")) ?? "");
  });

  test("are made by its Python", async () => {
    const program = `
from base64 import b64decode
from cryptography.hazmat.primitives.asymmetric import ec
points = [b64decode(vector["publicKey"]) for vector in input]
print(json.dumps([nonce_of(ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)) for point in points]))`;
    const nonces = await runPython<string[]>("accounts.md", program, vectors);
    expect(nonces).toEqual(vectors.map(({ nonce }) => nonce));
  });
});

describe("the guide's account key", async () => {
  interface Vectors {
    readonly privateKey: string;
    readonly accountId: string;
    readonly challenge: string;
    readonly signature: string;
    readonly highS: string;
  }
  const { privateKey, accountId, challenge, signature, highS } = await vectorsOf<Vectors>("account-key.md");
  const bytes = Buffer.from(challenge, "base64");

  test("signs what the service accepts, and refuses with a high s", async () => {
    verifyAccountSignature(accountId, signature, bytes);
    const refused = () => verifyAccountSignature(accountId, highS, bytes);
    expect(await codeOf(refused)).toBe("signature_verification_error");
  });

  test("signs in TypeScript", async () => {
    interface Module {
      accountId(privateKey: Uint8Array): string;
      accountSignature(privateKey: Uint8Array, challenge: string): string;
    }
    const code = await importTypescript<Module>("account-key.md");
    const key = Buffer.from(privateKey, "hex");
    expect(code.accountId(key)).toBe(accountId);
    expect(code.accountSignature(key, challenge)).toBe(signature);
  });

  test("signs in Python, always with a low s", async () => {
    const program = `
key = ec.derive_private_key(int(input["privateKey"], 16), ec.SECP256K1())
print(json.dumps([account_id(key)] + [account_signature(key, input["challenge"]) for _ in range(20)]))`;
    const input = { privateKey, challenge };
    const [id, ...signatures] = await runPython<string[]>("account-key.md", program, input);
    expect(id).toBe(accountId);
    expect(signatures).toHaveLength(20);
    for (const made of signatures) verifyAccountSignature(accountId, made, bytes);
  });
});
