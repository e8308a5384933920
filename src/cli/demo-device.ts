/** What an app on a device does around the requests of the demo. */
import { randomBytes } from "node:crypto";
import type { ApiClient } from "../client/api-client.ts";
import type { FactorKeypair } from "../client/factor-keypair.ts";
import { keypairProof } from "../client/keypair-proof.ts";
import { encodeHex, sha256 } from "../crypto/encoding.ts";
import type { RequestOf } from "../protocol/operations.ts";

/** Announces the next step of the demo. */
export type Announce = (step: string) => void;

/** Stands in for what an app does on the device: the service only ever sees bytes that look random. */
export function ciphertext(data: string) {
  const bytes = Buffer.concat([randomBytes(12), randomBytes(data.length), randomBytes(16)]);
  return { bytes, manifestHash: encodeHex(sha256(bytes)) };
}

/** An encryption key, encrypted by something that only the device has. */
export function encryptedKey(): string {
  return randomBytes(32).toString("base64");
}

/** @throws Error when the service did not do what it should. */
export function expectSame(actual: string, expected: string, what: string): void {
  if (actual !== expected) throw new Error(`${what} should be ${expected}, not ${actual}`);
}

/** The payload of a create with two keypairs. */
export async function createPayload(
  client: ApiClient,
  { backupAccountId }: { readonly backupAccountId: string },
  mainFactor: FactorKeypair,
  syncFactor: FactorKeypair,
  { manifestHash }: { readonly manifestHash: string },
): Promise<RequestOf<"create">> {
  const sync = await keypairProof(client, "create", syncFactor);
  return {
    ...(await keypairProof(client, "create", mainFactor)),
    initialEncryptionKey: { kind: "ICLOUD", encryptedKey: encryptedKey() },
    initialSyncFactor: sync.authorization,
    initialSyncChallengeToken: sync.challengeToken,
    manifestHash,
    backupAccountId,
  };
}
