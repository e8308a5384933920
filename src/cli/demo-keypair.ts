import { createAccountKeypair } from "../client/account-keypair.ts";
import type { ApiClient } from "../client/api-client.ts";
import { createFactorKeypair } from "../client/factor-keypair.ts";
import { keypairProof } from "../client/keypair-proof.ts";
import { type Announce, ciphertext, createPayload, expectSame } from "./demo-device.ts";

/**
 * One user's life with keypair factors: create, recover on a new device, update, lose the old device, delete, and the
 * last resort, a reset with the account key.
 *
 * @throws Error when a response is not the expected one.
 */
export async function playKeypairLife(client: ApiClient, announce: Announce): Promise<void> {
  const account = createAccountKeypair();
  const recoveryKey = await createFactorKeypair();
  const oldPhone = await createFactorKeypair();
  const newPhone = await createFactorKeypair();
  const first = ciphertext("the first state of the user's data");
  const second = ciphertext("the second state of the user's data");

  announce("The service is running");
  (await client.health()).ok();

  announce(
    "The old phone creates a backup: its main factor is a recovery key, its sync factor the phone's own key",
  );
  const create = await createPayload(client, account, recoveryKey, oldPhone, first);
  (await client.create(create, first.bytes)).ok();

  announce("Any client may ask with what kind of factor the backup can be recovered");
  (await client.backupStatus({ backupId: account.backupAccountId })).ok();

  announce("The phone is lost. A new one recovers the backup with the recovery key");
  const recovered = (await client.retrieve(await keypairProof(client, "retrieve", recoveryKey))).ok();
  expectSame(recovered.backup, first.bytes.toString("base64"), "the recovered backup");

  announce("The new phone adds its sync factor to the backup");
  const { authorization: syncFactor, challengeToken } = await keypairProof(
    client,
    "add-sync-factor",
    newPhone,
  );
  const { syncFactorToken } = recovered;
  (await client.addSyncFactor({ syncFactor, challengeToken, syncFactorToken })).ok();

  announce("The new phone updates the backup");
  const currentAndNew = { currentManifestHash: first.manifestHash, newManifestHash: second.manifestHash };
  const update = { ...(await keypairProof(client, "sync", newPhone)), ...currentAndNew };
  (await client.sync(update, second.bytes)).ok();

  announce("An update from a state that is no longer current is refused");
  const outdated = { ...(await keypairProof(client, "sync", oldPhone)), ...currentAndNew };
  const late = await client.sync(outdated, first.bytes);
  expectSame(late.code(), "manifest_hash_mismatch", "the late update");

  announce("The new phone removes the lost phone's factor");
  const listed = await client.retrieveMetadata(await keypairProof(client, "retrieve-metadata", newPhone));
  const lost = listed
    .ok()
    .syncFactors.find(({ kind }) => kind.kind === "EC_KEYPAIR" && kind.publicKey === oldPhone.publicKey);
  const factorId = lost?.id ?? "";
  const removal = await keypairProof(client, "delete-factor", newPhone, { factorId });
  (await client.deleteFactor({ ...removal, factorId, scope: "SYNC" })).ok();
  const locked = await client.retrieveMetadata(await keypairProof(client, "retrieve-metadata", oldPhone));
  expectSame(locked.code(), "backup_untraceable", "the lost phone's request");

  announce("The recovery key still recovers, and gets the new state");
  (await client.verifyFactor(await keypairProof(client, "verify-factor", recoveryKey))).ok();
  const again = (await client.retrieve(await keypairProof(client, "retrieve", recoveryKey))).ok();
  expectSame(again.backup, second.bytes.toString("base64"), "the updated backup");

  announce("The new phone deletes the backup");
  (await client.deleteBackup(await keypairProof(client, "delete-backup", newPhone))).ok();

  announce("Created again, and reset with the account key by a user who lost every factor");
  const recreated = await createPayload(client, account, recoveryKey, newPhone, first);
  (await client.create(recreated, first.bytes)).ok();
  const { backupAccountId } = account;
  const { challenge, token } = (await client.keypairChallenge("reset", { backupAccountId })).ok();
  (await client.reset({ backupAccountId, signature: account.sign(challenge), challengeToken: token })).ok();
  const gone = await client.backupStatus({ backupId: backupAccountId });
  expectSame(gone.code(), "not_found", "the status after the reset");
}
