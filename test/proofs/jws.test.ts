import { describe, expect, test } from "bun:test";
import { CompactSign, generateKeyPair } from "jose";
import type { Jwks } from "../../src/proofs/jwks.ts";
import { verifiedClaims } from "../../src/proofs/jws.ts";

const { publicKey, privateKey } = await generateKeyPair("ES256");
const jwks: Jwks = { key: async () => publicKey };

function signed(payload: Uint8Array): Promise<string> {
  return new CompactSign(payload).setProtectedHeader({ alg: "ES256" }).sign(privateKey);
}

describe("a signed payload", () => {
  test("that is a JSON object is the claims", async () => {
    const token = await signed(Buffer.from('{"sub":"é"}'));
    expect(await verifiedClaims(token, jwks, "ES256")).toEqual({ sub: "é" });
  });

  test.each(["null", "[]", "[{}]", '"text"', "1", "true", "", "{"])("%p is no claims", async (text) => {
    const token = await signed(Buffer.from(text));
    await expect(verifiedClaims(token, jwks, "ES256")).rejects.toBeInstanceOf(Error);
  });

  test("that is not UTF-8 is no claims", async () => {
    const token = await signed(Buffer.from('{"sub":"\xff"}', "latin1"));
    await expect(verifiedClaims(token, jwks, "ES256")).rejects.toBeInstanceOf(Error);
  });
});
