import { expect, test } from "bun:test";
import { encryptionKeyOf } from "../../src/backups/view.ts";

test("an encryption key has the members of its kind and no others", () => {
  const turnkey = {
    encryptedKey: "e",
    turnkeyAccountId: "a",
    turnkeyUserId: "u",
    turnkeyPrivateKeyId: "k",
  };
  for (const kind of ["PRF", "ICLOUD"] as const)
    expect(Object.entries(encryptionKeyOf({ ...turnkey, kind }))).toEqual([
      ["kind", kind],
      ["encryptedKey", "e"],
    ]);
  const stored = { ...turnkey, kind: "TURNKEY", more: "m" } as const;
  expect(encryptionKeyOf(stored)).toStrictEqual({ kind: "TURNKEY", ...turnkey });
});
