/** A backup as its creation is called with, whose proofs count as verified. */
import type { NewBackup } from "../../src/backups/backups.ts";
import { newUser } from "../support/users.ts";

export const newKeypair = () => ({ kind: "EC_KEYPAIR", publicKey: crypto.randomUUID() }) as const;

export function newBackup(): NewBackup {
  return {
    backupId: newUser().account.backupAccountId,
    manifestHash: "00",
    encryptionKey: { kind: "ICLOUD", encryptedKey: "encrypted" },
    encryptionPublicKey: null,
    nonces: [],
    mainFactor: { kind: newKeypair(), nonces: [] },
    syncFactor: { kind: newKeypair(), nonces: [] },
    content: [new Uint8Array(10)],
    client: "127.0.0.1",
  };
}
