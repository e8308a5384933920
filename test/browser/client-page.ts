/** A page that uses the client of this repository: client.test.ts bundles it and calls its `app`. */
import { createAccountKeypair } from "../../src/client/account-keypair.ts";
import { createApiClient } from "../../src/client/api-client.ts";
import { createFactorKeypair } from "../../src/client/factor-keypair.ts";
import { keypairProof } from "../../src/client/keypair-proof.ts";

const NEW_HASH = "b".repeat(64);

/** Creates a backup at a service, updates, recovers and resets it. */
async function live({ url, encryptedKey }: { readonly url: string; readonly encryptedKey: string }) {
  const client = createApiClient({ url });
  const account = createAccountKeypair();
  const [main, sync] = [await createFactorKeypair(), await createFactorKeypair()];
  const joined = await keypairProof(client, "create", sync);
  const creation = {
    ...(await keypairProof(client, "create", main)),
    initialEncryptionKey: { kind: "ICLOUD" as const, encryptedKey },
    initialSyncFactor: joined.authorization,
    initialSyncChallengeToken: joined.challengeToken,
    manifestHash: "a".repeat(64),
    backupAccountId: account.backupAccountId,
  };
  const { backupId } = (await client.create(creation, Uint8Array.of(1, 2, 3))).ok();
  const hashes = { currentManifestHash: creation.manifestHash, newManifestHash: NEW_HASH };
  const proof = await keypairProof(client, "sync", sync);
  (await client.sync({ ...proof, ...hashes }, Uint8Array.of(4, 5, 6))).ok();
  const { backup, metadata } = (await client.retrieve(await keypairProof(client, "retrieve", main))).ok();
  const bound = { backupAccountId: account.backupAccountId };
  const { challenge, token } = (await client.keypairChallenge("reset", bound)).ok();
  (await client.reset({ ...bound, signature: account.sign(challenge), challengeToken: token })).ok();
  const status = (await client.backupStatus({ backupId })).code();
  return { backup, manifestHash: metadata.manifestHash, status };
}

Object.assign(globalThis, { app: { live } });
