import { expect, test } from "bun:test";
import { findDeletedPasskey } from "../../src/backups/find-deleted-passkey.ts";
import { ServiceError } from "../../src/errors.ts";
import type { DeletedBackup } from "../../src/storage/contract.ts";
import { storedPasskey } from "../support/stored.ts";

const backupId = `backup_account_02${"ab".repeat(32)}`;
const CREDENTIAL_ID = "Y3JlZA";

/** A deleted state whose passkey has this public key. */
function state(publicKey: string): DeletedBackup {
  const passkey = storedPasskey(CREDENTIAL_ID);
  const kind = { ...passkey, credential: { ...passkey.credential, transports: [], publicKey } };
  return {
    deletionId: publicKey,
    deletedAtMs: 1,
    keepUntilMs: 2,
    deletedBy: null,
    logId: null,
    blob: { key: "k", size: 1, sha256: "00" },
    versions: [],
    metadata: {
      id: backupId,
      manifestHash: "00",
      keys: [],
      factors: [{ id: "1", createdAt: 0, kind: { ...kind, registration: {} } }],
      syncFactors: [],
    },
  };
}

/** Finds the passkey among the states of two keys, the first of which is not verified for this reason. */
async function found(reason: Error) {
  const records = {
    readDeleted: async (_: string, after?: unknown) =>
      after === undefined ? [state("first"), state("second")] : [],
  };
  return findDeletedPasskey({ records })(backupId, CREDENTIAL_ID, [], ({ publicKey }) => {
    if (publicKey === "first") throw reason;
  });
}

test("a deleted state with another key under the id of the passkey is passed over", async () => {
  const { credential } = await found(new ServiceError("invalid_signature", "It is of another key"));
  expect(credential.publicKey).toBe("second");
});

test("a stored key that cannot be read is no key of somebody else", async () => {
  const unreadable = new Error("a stored public key is not base64url");
  await expect(found(unreadable)).rejects.toBe(unreadable);
});
