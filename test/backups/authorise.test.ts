import { describe, expect, test } from "bun:test";
import { createAccess, type Proven } from "../../src/backups/authorise.ts";
import type { BackupMetadata } from "../../src/backups/model.ts";
import type { JsonObject } from "../../src/storage/contract.ts";
import { codeOf } from "../support/error-of.ts";

const backupId = `backup_account_${"02".repeat(33)}`;
const metadata: BackupMetadata & JsonObject = {
  id: backupId,
  manifestHash: "00",
  keys: [],
  factors: [{ id: "1", createdAt: 0, kind: { kind: "EC_KEYPAIR", publicKey: "listed" } }],
  syncFactors: [],
};
const blob = { key: "k", size: 1, sha256: "00" };
const backup = { backupId, revision: "r", changedAtMs: null, blob, metadata, versions: [] };

function accessTo({ found = true, consumed = false, stored = true }) {
  const calls: string[] = [];
  const access = createAccess({
    async locate() {
      calls.push("locate");
      return { backupId: found ? backupId : null, consumed };
    },
    async read() {
      calls.push("read");
      return stored ? { revision: "r", blob, metadata, versions: [], changedAtMs: null } : null;
    },
  });
  return { access, calls };
}

const keypair = (publicKey: string): Proven => ({
  factor: { scope: "MAIN", key: `EC_KEYPAIR|${publicKey}` },
  nonces: [{ id: "n", expiresAtMs: 1 }],
  challengedAtMs: 0,
});
const passkey = (consumed: boolean): Proven => ({
  ...keypair("any"),
  passkey: { backup, consumed, shown: { counter: 0, backupEligible: false } },
});

describe("a factor that proved itself", () => {
  test("is authorised for the backup that lists it", async () => {
    const { access, calls } = accessTo({});
    expect(await access.authorise(keypair("listed"))).toMatchObject(backup);
    expect(calls).toEqual(["locate", "read"]);
  });

  test.each([
    ["leads nowhere", { found: false }, "listed", "backup_untraceable"],
    ["leads to a backup that is gone", { stored: false }, "listed", "backup_missing"],
    ["is not listed", {}, "other", "unauthorized_factor"],
    ["has used its challenge", { consumed: true, found: false }, "listed", "already_used"],
  ] as const)("is refused where it %s", async (_, state, publicKey, code) => {
    expect(await codeOf(() => accessTo(state).access.authorise(keypair(publicKey)))).toBe(code);
  });

  test("is authorised for the backup that was read for its public key, without another call", async () => {
    const { access, calls } = accessTo({});
    expect(await access.authorise(passkey(false))).toBe(backup);
    expect(await codeOf(() => access.authorise(passkey(true)))).toBe("already_used");
    expect(calls).toEqual([]);
  });
});

test("a backup of a malformed id is not looked up", async () => {
  const { access, calls } = accessTo({});
  for (const malformed of ["", "../records", `${backupId}0`, backupId.toUpperCase()])
    expect(await access.read(malformed)).toBeNull();
  expect(calls).toEqual([]);
});
