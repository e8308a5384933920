import { describe, expect, test } from "bun:test";
import type { BackupMetadata, MainFactor, SyncFactor } from "../../src/backups/model.ts";
import {
  MAX_METADATA_BYTES,
  requireManifestHash,
  requireMeantAsLast,
  withMainFactor,
  withoutFactor,
  withSyncFactor,
} from "../../src/backups/rules.ts";
import { ServiceError } from "../../src/errors.ts";
import type { EncryptionKey } from "../../src/protocol/encryption-key.ts";
import { factorKeys } from "../../src/storage/contract.ts";

const NOW_MS = 1_768_478_400_000;
const QUARTER_OF_AN_HOUR_MS = 900_000;
const LIMITS = { maxMainFactors: 10, maxSyncFactors: 3 };

const passkey = (id: string) =>
  ({
    id,
    createdAt: 1,
    kind: { kind: "PASSKEY", credentialId: id, registration: {}, label: "" },
  }) as MainFactor;
const account = (id: string): MainFactor => ({
  id,
  createdAt: 1,
  kind: {
    kind: "OIDC_ACCOUNT",
    account: { kind: "GOOGLE", issuer: "https://issuer", sub: id, maskedEmail: "" },
    turnkeyProviderId: "t",
  },
});
const keypair = (id: string): SyncFactor => ({
  id,
  createdAt: 1,
  kind: { kind: "EC_KEYPAIR", publicKey: id },
});

const PRF: EncryptionKey = { kind: "PRF", encryptedKey: "p" };
const ICLOUD: EncryptionKey = { kind: "ICLOUD", encryptedKey: "i" };
const TURNKEY: EncryptionKey = {
  kind: "TURNKEY",
  encryptedKey: "t",
  turnkeyAccountId: "a",
  turnkeyUserId: "u",
  turnkeyPrivateKeyId: "k",
};

function metadata(changes: Partial<BackupMetadata> = {}): BackupMetadata {
  return {
    id: "b",
    manifestHash: "aa",
    keys: [ICLOUD],
    factors: [keypair("m")],
    syncFactors: [keypair("s")],
    ...changes,
  };
}

function codeOf(run: () => unknown): string | null {
  try {
    run();
    return null;
  } catch (error) {
    if (error instanceof ServiceError) return error.code;
    throw error;
  }
}

describe("a manifest hash", () => {
  test("is current only if it equals the stored one exactly", () => {
    expect(codeOf(() => requireManifestHash(metadata(), "aa"))).toBeNull();
    for (const other of ["AA", "0xaa", "aa ", "a", "", "ab"])
      expect(codeOf(() => requireManifestHash(metadata(), other))).toBe("manifest_hash_mismatch");
  });
});

describe("a sync factor is added", () => {
  test("behind the existing ones, and nothing else changes", () => {
    const before = Object.freeze({ ...metadata(), more: [1] });
    expect(withSyncFactor(before, keypair("n"), LIMITS)).toEqual({
      ...before,
      syncFactors: [keypair("s"), keypair("n")],
    });
    expect(before.syncFactors).toHaveLength(1);
  });

  for (const [name, before, factor, code] of [
    ["unless it is a sync factor already", metadata(), keypair("s"), "factor_already_exists"],
    ["unless it is a main factor already", metadata(), keypair("m"), "factor_already_exists"],
    [
      "unless it is on the backup already, under another id",
      metadata(),
      { ...keypair("s"), id: "x" },
      "factor_already_exists",
    ],
    [
      "up to the limit",
      metadata({ syncFactors: [keypair("1"), keypair("2"), keypair("3")] }),
      keypair("n"),
      "too_many_factors",
    ],
    [
      "unless it exists, before the limit counts",
      metadata({ syncFactors: [keypair("1"), keypair("2"), keypair("3")] }),
      keypair("3"),
      "factor_already_exists",
    ],
  ] as const)
    test(name, () => {
      expect(codeOf(() => withSyncFactor(before, factor, LIMITS))).toBe(code);
    });
});

describe("a main factor is added", () => {
  test("behind the existing ones, with its key behind the existing keys", () => {
    const before = Object.freeze({ ...metadata(), more: [1] });
    const after = { ...before, factors: [keypair("m"), account("n")] };
    expect(withMainFactor(before, account("n"), null, LIMITS)).toEqual(after);
    const keys = [ICLOUD, TURNKEY];
    expect(withMainFactor(before, account("n"), TURNKEY, LIMITS)).toEqual({ ...after, keys });
  });

  test("once: a factor and a key that are there stay as they are", () => {
    const before = metadata();
    expect(withMainFactor(before, { ...keypair("m"), id: "x" }, null, LIMITS)).toBe(before);
    expect(withMainFactor(before, keypair("m"), { ...ICLOUD }, LIMITS)).toBe(before);
    expect(withMainFactor(before, keypair("m"), PRF, LIMITS)).toEqual({ ...before, keys: [ICLOUD, PRF] });
    expect(withMainFactor(before, account("n"), { ...ICLOUD }, LIMITS).keys).toEqual([ICLOUD]);
  });

  test("unless there is another key of its kind", () => {
    const other = { ...ICLOUD, encryptedKey: "other" };
    for (const factor of [keypair("m"), keypair("n")])
      expect(codeOf(() => withMainFactor(metadata(), factor, other, LIMITS))).toBe(
        "only_one_encryption_key_per_type_allowed",
      );
  });

  test("up to the limit, which does not count for one that is there", () => {
    const limits = { ...LIMITS, maxMainFactors: 2 };
    const full = withMainFactor(metadata(), keypair("n"), null, limits);
    expect(codeOf(() => withMainFactor(full, keypair("o"), null, limits))).toBe("too_many_factors");
    expect(withMainFactor(full, keypair("n"), null, limits)).toBe(full);
  });

  test("up to 380 KiB of metadata", () => {
    const sizeOf = (text: string) =>
      Buffer.byteLength(
        JSON.stringify(withMainFactor(metadata({ manifestHash: text }), keypair("é"), null, LIMITS)),
      );
    const room = 380 * 1024 - sizeOf(""); // as UTF-8
    expect(sizeOf("x".repeat(room))).toBe(MAX_METADATA_BYTES);
    expect(codeOf(() => sizeOf("x".repeat(room + 1)))).toBe("too_many_factors");
  });
});

describe("a factor is removed", () => {
  test("from the scope that is named, with its index row", () => {
    const { next, removed } = withoutFactor(metadata(), { factorId: "s", scope: "SYNC" }, NOW_MS);
    expect(next).toEqual(metadata({ syncFactors: [] }));
    expect(removed).toEqual({ scope: "SYNC", key: factorKeys.ecKeypair("s") });
  });

  test("and unknown members stay", () => {
    const before = {
      ...metadata({ factors: [keypair("m"), passkey("p")], keys: [ICLOUD, PRF] }),
      more: { a: [null] },
    };
    const { next } = withoutFactor(before, { factorId: "p", scope: "MAIN", encryptionKey: PRF }, NOW_MS);
    expect(next).toEqual({
      ...before,
      factors: [keypair("m")],
      keys: [ICLOUD],
      mainFactorRemovedAtMs: NOW_MS,
    });
  });

  test("and with the last main factor everything", () => {
    const removal = { factorId: "m", scope: "MAIN", encryptionKey: PRF } as const;
    expect(withoutFactor(metadata(), removal, NOW_MS).next).toBeNull();
    expect(withoutFactor(metadata({ syncFactors: [] }), removal, NOW_MS).next).toBeNull();
  });

  type Case = readonly [
    name: string,
    factors: MainFactor[],
    keys: EncryptionKey[],
    encryptionKey: EncryptionKey | undefined,
    outcome: readonly EncryptionKey[] | string,
  ];
  const cases: readonly Case[] = [
    ["without key: all stay", [passkey("x"), keypair("m")], [PRF, ICLOUD], undefined, [PRF, ICLOUD]],
    ["with the passkey's key", [passkey("x"), keypair("m")], [PRF, ICLOUD], PRF, [ICLOUD]],
    ["with the account's key", [account("x"), keypair("m")], [TURNKEY, ICLOUD], TURNKEY, [ICLOUD]],
    ["with the keypair's key", [keypair("x"), passkey("m")], [ICLOUD, PRF], ICLOUD, [PRF]],
    [
      "with a key that another passkey needs",
      [passkey("x"), passkey("m")],
      [PRF],
      PRF,
      "factor_orphaned_from_encryption_key",
    ],
    [
      "with a key that another account needs",
      [account("x"), account("m")],
      [TURNKEY],
      TURNKEY,
      "factor_orphaned_from_encryption_key",
    ],
    [
      "with one of two keys of the kind that another account needs",
      [account("x"), account("m")],
      [TURNKEY, { ...TURNKEY, turnkeyUserId: "v" }],
      TURNKEY,
      [{ ...TURNKEY, turnkeyUserId: "v" }],
    ],
    [
      "with a key that another keypair needs",
      [keypair("x"), keypair("m")],
      [ICLOUD],
      ICLOUD,
      "factor_orphaned_from_encryption_key",
    ],
    [
      "with a key of another kind, which another factor needs",
      [passkey("x"), account("m")],
      [PRF, TURNKEY],
      TURNKEY,
      "factor_orphaned_from_encryption_key",
    ],
    [
      "with a key of another kind, which no factor needs",
      [passkey("x"), account("m")],
      [PRF, ICLOUD, TURNKEY],
      ICLOUD,
      [PRF, TURNKEY],
    ],
    [
      "with another value",
      [passkey("x"), keypair("m")],
      [PRF, ICLOUD],
      { ...PRF, encryptedKey: "P" },
      "encryption_key_not_found",
    ],
    [
      "with a kind that is not stored",
      [passkey("x"), keypair("m")],
      [ICLOUD],
      PRF,
      "encryption_key_not_found",
    ],
    [
      "with another Turnkey member",
      [account("x"), keypair("m")],
      [TURNKEY, ICLOUD],
      { ...TURNKEY, turnkeyUserId: "v" },
      "encryption_key_not_found",
    ],
  ];
  for (const [name, factors, keys, encryptionKey, outcome] of cases)
    test(name, () => {
      const run = () =>
        withoutFactor(
          metadata({ factors, keys }),
          {
            factorId: "x",
            scope: "MAIN",
            ...(encryptionKey === undefined ? {} : { encryptionKey }),
          },
          NOW_MS,
        );
      if (typeof outcome === "string") expect(codeOf(run)).toBe(outcome);
      else expect(run().next?.keys).toEqual([...outcome]);
    });

  for (const [factorId, scope] of [
    ["s", "MAIN"],
    ["m", "SYNC"],
    ["none", "SYNC"],
    ["", "MAIN"],
  ] as const)
    test(`unless there is no "${factorId}" in ${scope}`, () => {
      expect(codeOf(() => withoutFactor(metadata(), { factorId, scope }, NOW_MS))).toBe("factor_not_found");
    });
});

describe("the removal of the last main factor", () => {
  const two = metadata({ factors: [keypair("m"), keypair("n")] });
  const removed = (mainFactorRemovedAtMs: number) => metadata({ mainFactorRemovedAtMs });
  const cases: readonly (readonly [
    name: string,
    seen: BackupMetadata,
    current: BackupMetadata,
    isMeant: boolean,
  ])[] = [
    ["of a backup that never had another", metadata(), metadata(), true],
    ["whose challenge is younger than the removal before", removed(NOW_MS - 1), removed(NOW_MS - 1), true],
    ["whose challenge is as old as the removal before", removed(NOW_MS), removed(NOW_MS), true],
    ["whose challenge is older than the removal before", removed(NOW_MS + 1), removed(NOW_MS + 1), false],
    [
      "before which one was removed at a time that another process's clock may have",
      removed(NOW_MS + QUARTER_OF_AN_HOUR_MS),
      removed(NOW_MS + QUARTER_OF_AN_HOUR_MS),
      false,
    ],
    [
      "before which one was removed at a time further in the future",
      removed(NOW_MS + QUARTER_OF_AN_HOUR_MS + 1),
      removed(NOW_MS + QUARTER_OF_AN_HOUR_MS + 1),
      true,
    ],
    ["that saw another one at first", two, removed(NOW_MS - 1), false],
  ];
  for (const [name, seen, current, isMeant] of cases)
    test(`${name} ${isMeant ? "is meant" : "is not meant"}`, () => {
      const check = () => requireMeantAsLast(seen, current, { challengedAtMs: NOW_MS, nowMs: NOW_MS });
      if (isMeant) check();
      else expect(codeOf(check)).toBe("conflicting_lock");
    });
});
