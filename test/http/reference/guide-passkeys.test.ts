import { describe, expect, test } from "bun:test";
import { createDecipheriv, hkdfSync, type webcrypto } from "node:crypto";
import { importTypescript, vectorsOf } from "../../support/guide.ts";

const CHAPTER = "passkeys.md";

describe("the guide's wrapped keys", async () => {
  const vectors =
    await vectorsOf<Record<"secret" | "wrappingKey" | "backupKey" | "encryptedKey", string>>(CHAPTER);
  const [secret, wrappingKey, backupKey] = [vectors.secret, vectors.wrappingKey, vectors.backupKey].map(
    (hex) => Buffer.from(hex, "hex"),
  );
  if (secret === undefined || wrappingKey === undefined) throw new Error("there are no vectors");

  test("are derived and encrypted as the chapter says", () => {
    expect(Buffer.from(hkdfSync("sha256", secret, new Uint8Array(), "backup key", 32))).toEqual(wrappingKey);
    const bytes = Buffer.from(vectors.encryptedKey, "base64");
    const decipher = createDecipheriv("aes-256-gcm", wrappingKey, bytes.subarray(0, 12));
    decipher.setAuthTag(bytes.subarray(-16));
    expect<unknown>(Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()])).toEqual(
      backupKey,
    );
  });

  test("are read and made by its TypeScript", async () => {
    interface Module {
      wrappingKeyOf(secret: Uint8Array): Promise<webcrypto.CryptoKey>;
      encryptBackupKey(wrappingKey: webcrypto.CryptoKey, backupKey: Uint8Array): Promise<string>;
      decryptBackupKey(wrappingKey: webcrypto.CryptoKey, encryptedKey: string): Promise<Uint8Array>;
    }
    const code = await importTypescript<Module>(CHAPTER);
    const key = await code.wrappingKeyOf(secret);
    expect(key.extractable).toBe(false);
    const read = await code.decryptBackupKey(key, vectors.encryptedKey);
    expect(Buffer.from(read).toString("hex")).toBe(vectors.backupKey);
    const made = await code.encryptBackupKey(key, read);
    expect(made).not.toBe(vectors.encryptedKey);
    expect(await code.decryptBackupKey(key, made)).toEqual(read);
  });
});
