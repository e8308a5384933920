import { describe, expect, test } from "bun:test";
import { createPublicKey, verify } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { createAccountKeypair } from "../../src/client/account-keypair.ts";
import { createApiClient } from "../../src/client/api-client.ts";
import { derSignature } from "../../src/client/der-signature.ts";
import { createFactorKeypair } from "../../src/client/factor-keypair.ts";
import { keypairProof } from "../../src/client/keypair-proof.ts";
import { DRIVERS } from "../drivers.ts";
import { createFactorKeypair as createTestKeypair } from "../support/factor-keypair.ts";
import { startService } from "../support/service.ts";
import { newManifestHash, randomBytes } from "../support/users.ts";

const CHALLENGE = Buffer.alloc(32, 7);
const bytesOf = (base64: string) => Buffer.from(base64, "base64");

function verifies(publicKey: string, signature: string): boolean {
  const [x, y] = [bytesOf(publicKey).subarray(1, 33), bytesOf(publicKey).subarray(33)];
  const key = createPublicKey({
    format: "jwk",
    key: { kty: "EC", crv: "P-256", x: x.toString("base64url"), y: y.toString("base64url") },
  });
  return verify("sha256", CHALLENGE, key, bytesOf(signature));
}

describe("a factor keypair", () => {
  test("has an uncompressed point and DER signatures, as that of the tests", async () => {
    const keypair = await createFactorKeypair();
    expect(bytesOf(keypair.publicKey)).toHaveLength(65);
    expect(bytesOf(keypair.publicKey)[0]).toBe(4);
    const test = createTestKeypair();
    for (let n = 0; n < 100; n++) {
      const { publicKey, signature, kind } = await keypair.authorize(CHALLENGE.toString("base64"));
      expect([kind, publicKey]).toEqual(["EC_KEYPAIR", keypair.publicKey]);
      expect(verifies(publicKey, signature)).toBe(true);
      expect(verifies(test.publicKey, test.sign(CHALLENGE.toString("base64")))).toBe(true);
    }
  });

  test("has signatures in the shortest DER, whatever r and s are", () => {
    const { Fn } = p256.Point;
    for (const r of [1n, 0x7fn, 0x80n, 0xffn, 0x100n, 2n ** 255n - 1n, 2n ** 255n, Fn.ORDER - 1n])
      for (const s of [1n, 0x80n, 2n ** 248n - 1n, 2n ** 247n, Fn.ORDER - 1n]) {
        const signature = new p256.Signature(r, s);
        expect(derSignature(signature.toBytes("compact"))).toEqual(signature.toBytes("der"));
      }
  });
});

test("an account keypair has its public key in the account id, and DER signatures with low s", () => {
  const account = createAccountKeypair();
  const [, hex = ""] = /^backup_account_([0-9a-f]{66})$/.exec(account.backupAccountId) ?? [];
  const signature = bytesOf(account.sign(CHALLENGE.toString("base64")));
  const options = { format: "der", lowS: true } as const;
  expect(secp256k1.verify(signature, CHALLENGE, Buffer.from(hex, "hex"), options)).toBe(true);
});

for (const driver of DRIVERS)
  test(`the service takes proofs of both keypairs (${driver.name})`, async () => {
    await using service = await startService(driver);
    const client = createApiClient({ url: service.url });
    const account = createAccountKeypair();
    const [main, sync] = [await createFactorKeypair(), await createFactorKeypair()];
    const joined = await keypairProof(client, "create", sync);
    const payload = {
      ...(await keypairProof(client, "create", main)),
      initialEncryptionKey: { kind: "ICLOUD" as const, encryptedKey: "UFJG" },
      initialSyncFactor: joined.authorization,
      initialSyncChallengeToken: joined.challengeToken,
      manifestHash: newManifestHash(),
      backupAccountId: account.backupAccountId,
    };
    const backup = randomBytes(1_000);
    const { backupMetadata } = (await client.create(payload, backup)).ok();
    const recovered = (await client.retrieve(await keypairProof(client, "retrieve", main))).ok();
    expect(recovered.backup).toBe(Buffer.from(backup).toString("base64"));
    const factorId = backupMetadata.syncFactors[0]?.id ?? "";
    const removal = await keypairProof(client, "delete-factor", sync, { factorId });
    const removed = (await client.deleteFactor({ ...removal, factorId, scope: "SYNC" })).ok();
    expect(removed.backupMetadata?.syncFactors).toEqual([]);
    const { backupAccountId } = account;
    const { challenge, token } = (await client.keypairChallenge("reset", { backupAccountId })).ok();
    const reset = { backupAccountId, signature: account.sign(challenge), challengeToken: token };
    expect((await client.reset(reset)).ok()).toBeNull();
    expect((await client.backupStatus({ backupId: backupAccountId })).code()).toBe("not_found");
  });
