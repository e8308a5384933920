import { describe, expect, test } from "bun:test";
import { verifyAccountSignature } from "../../src/proofs/account-key.ts";
import { createAccountKeypair } from "../support/account-keypair.ts";
import { errorOf } from "../support/error-of.ts";

const message = Buffer.alloc(32, 7);
const challenge = message.toString("base64");
const account = createAccountKeypair();
const signature = account.sign(challenge);
const offCurve = `${account.backupAccountId.slice(0, -64)}${"f".repeat(64)}`;

describe("a signature by the key of an account", () => {
  test("over the challenge is accepted", () => {
    verifyAccountSignature(account.backupAccountId, signature, message);
  });

  test.each([
    ["for an id off the curve", offCurve, signature, "invalid_backup_account_id", "account id"],
    ["for an id that is not hex", "backup_account_no", signature, "invalid_backup_account_id", "account id"],
    ["that is not base64", account.backupAccountId, "not base64", "invalid_signature", "DER"],
    ["that is empty", account.backupAccountId, "", "invalid_signature", "DER"],
    ["that is not DER", account.backupAccountId, "AAAA", "invalid_signature", "DER"],
    [
      "over other bytes",
      account.backupAccountId,
      account.sign("AAAA"),
      "signature_verification_error",
      "verify",
    ],
    [
      "by another key",
      createAccountKeypair().backupAccountId,
      signature,
      "signature_verification_error",
      "verify",
    ],
  ])("%s is refused", async (_, id, given, code, word) => {
    const error = await errorOf(() => verifyAccountSignature(id, given, message));
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(word)]);
  });
});
