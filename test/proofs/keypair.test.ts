import { describe, expect, test } from "bun:test";
import { isSignedBy, verifyKeypairSignature } from "../../src/proofs/keypair.ts";
import { errorOf } from "../support/error-of.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";

const message = Buffer.alloc(32, 7);
const challenge = message.toString("base64");
const keypair = createFactorKeypair();
const other = createFactorKeypair();
const signature = keypair.sign(challenge);
const offCurve = Buffer.alloc(65, 4).toString("base64");

describe("the signature of a keypair", () => {
  test("of the challenge is accepted", () => {
    verifyKeypairSignature(keypair.publicKey, signature, message);
    expect(isSignedBy(keypair.publicKey, signature, message)).toBe(true);
  });

  test.each([
    ["by another key", other.publicKey, signature],
    ["of another message", keypair.publicKey, keypair.sign("AAAA")],
    ["by a key that is not base64", "not base64", signature],
    ["by no key", "", signature],
    ["by a point off the curve", offCurve, signature],
    ["that is not base64", keypair.publicKey, "not base64"],
    ["that is empty", keypair.publicKey, ""],
    ["that is not DER", keypair.publicKey, "AAAA"],
  ])("%s is refused", async (_, publicKey, given) => {
    const error = await errorOf(async () => verifyKeypairSignature(publicKey, given, message));
    expect(error.code).toBe("signature_verification_error");
    expect(isSignedBy(publicKey, given, message)).toBe(false);
  });

  test("is refused with what is wrong", async () => {
    const refusal = (publicKey: string) =>
      errorOf(async () => verifyKeypairSignature(publicKey, signature, message));
    expect((await refusal("not base64")).message).toContain("public key");
    expect((await refusal(other.publicKey)).message).toContain("the signature");
  });
});
