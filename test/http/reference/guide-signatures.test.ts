import { describe, expect, test } from "bun:test";
import { createECDH, type webcrypto } from "node:crypto";
import { verifyKeypairSignature } from "../../../src/proofs/keypair.ts";
import { importTypescript, runPython, vectorsOf } from "../../support/guide.ts";

interface Vectors {
  readonly privateKey: string;
  readonly publicKey: string;
  readonly challenge: string;
  readonly rs: string;
  readonly signature: string;
  readonly der: readonly { readonly rs: string; readonly der: string }[];
}

interface Proof {
  readonly kind: string;
  readonly publicKey: string;
  readonly signature: string;
}

interface Module {
  makeFactor(): Promise<webcrypto.CryptoKeyPair>;
  prove(pair: webcrypto.CryptoKeyPair, challenge: string): Promise<Proof>;
  toDer(signature: Uint8Array): Uint8Array;
  toBase64(bytes: Uint8Array): string;
}

const CHAPTER = "sign-a-challenge.md";
const vectors = await vectorsOf<Vectors>(CHAPTER);
const challenge = Buffer.from(vectors.challenge, "base64");

const requireVerified = ({ kind, publicKey, signature }: Proof) => {
  expect(kind).toBe("EC_KEYPAIR");
  verifyKeypairSignature(publicKey, signature, challenge);
};

describe("the guide's signatures", () => {
  test("are what the service accepts", () => {
    const key = createECDH("prime256v1");
    key.setPrivateKey(vectors.privateKey, "hex");
    expect(key.getPublicKey("base64", "uncompressed")).toBe(vectors.publicKey);
    expect(challenge).toHaveLength(32);
    requireVerified({ kind: "EC_KEYPAIR", ...vectors });
  });

  test("are made by its TypeScript", async () => {
    const { makeFactor, prove, toDer, toBase64 } = await importTypescript<Module>(CHAPTER);
    const pair = await makeFactor();
    expect(pair.privateKey.extractable).toBe(false);
    for (let made = 0; made < 50; made++) requireVerified(await prove(pair, vectors.challenge));
    expect(toBase64(toDer(Buffer.from(vectors.rs, "hex")))).toBe(vectors.signature);
    expect(vectors.der.length).toBeGreaterThan(2);
    for (const { rs, der } of vectors.der)
      expect(Buffer.from(toDer(Buffer.from(rs, "hex"))).toString("hex")).toBe(der);
  });

  test("are made by its Python", async () => {
    const program = `
key = ec.derive_private_key(int(input["privateKey"], 16), ec.SECP256R1())
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
pairs = [(int(entry["rs"][:64], 16), int(entry["rs"][64:], 16)) for entry in input["der"]]
print(json.dumps({
  "given": prove(key, input["challenge"]),
  "made": prove(make_factor(), input["challenge"]),
  "der": [encode_dss_signature(r, s).hex() for r, s in pairs],
}))`;
    const { given, made, der } = await runPython<{ given: Proof; made: Proof; der: string[] }>(
      CHAPTER,
      program,
      vectors,
    );
    requireVerified(given);
    expect(given.publicKey).toBe(vectors.publicKey);
    requireVerified(made);
    expect(der).toEqual(vectors.der.map((entry) => entry.der));
  });
});
