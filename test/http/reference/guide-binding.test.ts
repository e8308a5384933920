import { describe, expect, test } from "bun:test";
import { bindingDigest, encodedMaterial, type Material } from "../../../src/proofs/binding.ts";
import { registrationMaterial } from "../../../src/proofs/passkey/registration-material.ts";
import { newPasskey } from "../../support/factors.ts";
import { importTypescript, runPython, vectorsOf } from "../../support/guide.ts";

interface Vector extends Pick<Material, "turnkeyProviderId" | "encryptedBackupKey"> {
  readonly newFactor: { kind: "OIDC_ACCOUNT"; idToken: string } | { kind: "EC_KEYPAIR"; publicKey: string };
  readonly material: string;
  readonly digest: string;
}

interface Module {
  material(added: unknown): Uint8Array;
  boundChallenge(challenge: Uint8Array, added: unknown): Promise<Uint8Array>;
}

const CHAPTER = "material-binding.md";
const CHALLENGE = Uint8Array.from({ length: 32 }, (_, index) => index);
const hex = (bytes: Uint8Array | null) => Buffer.from(bytes ?? []).toString("hex");

/** A vector as the service gets it. */
function asMaterial({ newFactor, turnkeyProviderId = null, encryptedBackupKey = null }: Vector): Material {
  const proof = { publicKey: "", signature: "" };
  return {
    turnkeyProviderId,
    encryptedBackupKey,
    newFactorAuthorization:
      newFactor.kind === "EC_KEYPAIR"
        ? { ...proof, ...newFactor }
        : { ...proof, kind: "OIDC_ACCOUNT", oidcToken: { kind: "GOOGLE", token: newFactor.idToken } },
  };
}

describe("the guide's material binding", async () => {
  const vectors = await vectorsOf<Vector[]>(CHAPTER);

  test("is that of the service", () => {
    expect(vectors).toHaveLength(3);
    for (const vector of vectors) {
      expect(hex(encodedMaterial(asMaterial(vector)))).toBe(vector.material);
      expect(hex(bindingDigest(asMaterial(vector)))).toBe(vector.digest);
    }
  });

  test("is made by its TypeScript", async () => {
    const { material, boundChallenge } = await importTypescript<Module>(CHAPTER);
    for (const { newFactor, ...vector } of vectors) {
      const factor =
        newFactor.kind === "EC_KEYPAIR"
          ? { kind: newFactor.kind, point: Buffer.from(newFactor.publicKey, "base64") }
          : newFactor;
      expect(hex(material({ factor, ...vector }))).toBe(vector.material);
      expect(hex(await boundChallenge(CHALLENGE, { factor, ...vector }))).toBe(
        hex(CHALLENGE) + vector.digest,
      );
    }
  });

  test("is made by its TypeScript for a passkey", async () => {
    const { material } = await importTypescript<Module>(CHAPTER);
    const credential = newPasskey().registerWith("AAAA", {}).credential as object;
    const encryptedBackupKey = { kind: "PRF", encryptedKey: "ä" } as const;
    const newFactorAuthorization = { kind: "PASSKEY", credential, label: "Phöne" } as const;
    const expected = encodedMaterial({ newFactorAuthorization, encryptedBackupKey });
    const factor = { kind: "PASSKEY", label: "Phöne", ...registrationMaterial(credential) };
    expect(expected?.length).toBeGreaterThan(100);
    expect(hex(material({ factor, encryptedBackupKey }))).toBe(hex(expected));
  });

  test("is made by its Python", async () => {
    const program = `
from base64 import b64decode
def added(vector):
  new = vector["newFactor"]
  factor = fields(2, new["idToken"]) if new["kind"] == "OIDC_ACCOUNT" else fields(3, b64decode(new["publicKey"]))
  return material(factor, vector.get("turnkeyProviderId"), vector.get("encryptedBackupKey"))
print(json.dumps([[added(vector).hex(), bound_challenge(bytes(range(32)), added(vector)).hex()] for vector in input]))`;
    const made = await runPython<[string, string][]>(CHAPTER, program, vectors);
    expect(made).toEqual(vectors.map(({ material, digest }) => [material, hex(CHALLENGE) + digest]));
  });
});
