/** Signatures in the forms that the service takes. */
import { expect, test } from "bun:test";
import { p256 } from "@noble/curves/nist.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { accountKey } from "../../src/client/account-key.ts";
import { derSignature } from "../../src/client/der-signature.ts";

const MESSAGE = new Uint8Array(32).fill(7);

test("a signature of WebCrypto becomes the shortest DER, whatever r and s are", () => {
  const { Fn } = p256.Point;
  for (const r of [1n, 0x7fn, 0x80n, 0xffn, 0x100n, 2n ** 255n - 1n, 2n ** 255n, Fn.ORDER - 1n])
    for (const s of [1n, 0x80n, 2n ** 248n - 1n, 2n ** 247n, Fn.ORDER - 1n]) {
      const signature = new p256.Signature(r, s);
      expect(derSignature(signature.toBytes("compact"))).toEqual(signature.toBytes("der"));
    }
});

test("an account key has its public key in the account id, and DER signatures with low s", () => {
  const account = accountKey();
  const [, hex = ""] = /^backup_account_([0-9a-f]{66})$/.exec(account.backupAccountId) ?? [];
  for (let n = 0; n < 20; n++) {
    const signature = account.sign(Uint8Array.of(...MESSAGE, n));
    const options = { format: "der", lowS: true } as const;
    expect(secp256k1.verify(signature, Uint8Array.of(...MESSAGE, n), Buffer.from(hex, "hex"), options)).toBe(
      true,
    );
  }
});

test("an account key is the same one when its secret was kept", () => {
  const account = accountKey();
  const again = accountKey(Uint8Array.from(account.secret));
  expect(again.backupAccountId).toBe(account.backupAccountId);
  expect(again.sign(MESSAGE)).toEqual(account.sign(MESSAGE));
});
