import { type AccountKeypair, createAccountKeypair } from "../client/account-keypair.ts";
import type { ApiClient } from "../client/api-client.ts";
import { createFactorKeypair, type FactorKeypair } from "../client/factor-keypair.ts";
import { keypairProof } from "../client/keypair-proof.ts";
import { type Announce, ciphertext, createPayload, expectSame } from "./demo-device.ts";

/**
 * What a user gets back: a backup that a thief has deleted, and a state that a bad app has replaced. What a service is set
 * up not to keep is left out.
 *
 * @throws Error when a response is not the expected one.
 */
export async function playLosses(client: ApiClient, announce: Announce): Promise<void> {
  const account = createAccountKeypair();
  const recoveryKey = await createFactorKeypair();
  const stolenPhone = await createFactorKeypair();
  const good = ciphertext("years of photographs");

  announce("Another user creates a backup, with a recovery key at home and a phone in the pocket");
  (
    await client.create(await createPayload(client, account, recoveryKey, stolenPhone, good), good.bytes)
  ).ok();

  announce("A thief takes the unlocked phone, and deletes everything with the sync factor on it");
  (await client.deleteBackup(await keypairProof(client, "delete-backup", stolenPhone))).ok();
  const { backupAccountId: backupId } = account;
  const gone = await client.backupStatus({ backupId });
  expectSame(gone.code(), "not_found", "the status of the deleted backup");

  announce("On a new phone the recovery key undeletes the backup");
  const proof = await keypairProof(client, "undelete", recoveryKey, { backupId });
  const undeleted = await client.undelete({ ...proof, backupId });
  if (undeleted.status === 400) {
    expectSame(undeleted.code(), "backup_does_not_exist", "the refusal of a service that keeps nothing");
    announce("This service keeps no deleted backups (DELETED_KEEP_DAYS=0), so the rest is left out");
    return;
  }
  undeleted.ok();

  announce("The stolen phone's sync factor did not come back with the rest");
  const refused = await client.retrieveMetadata(await keypairProof(client, "retrieve-metadata", stolenPhone));
  expectSame(refused.code(), "backup_untraceable", "the thief's next request");

  announce("The new phone recovers, and joins with a sync factor of its own");
  const newPhone = await createFactorKeypair();
  const recovered = (await client.retrieve(await keypairProof(client, "retrieve", recoveryKey))).ok();
  expectSame(recovered.backup, good.bytes.toString("base64"), "what the thief had deleted");
  const joining = await keypairProof(client, "add-sync-factor", newPhone);
  (
    await client.addSyncFactor({
      syncFactor: joining.authorization,
      challengeToken: joining.challengeToken,
      syncFactorToken: recovered.syncFactorToken,
    })
  ).ok();

  await restoreReplaced(client, newPhone, good, announce);
  const again = (await client.retrieve(await keypairProof(client, "retrieve", recoveryKey))).ok();
  expectSame(again.backup, good.bytes.toString("base64"), "what is recovered at the end");

  announce("The security log says what happened, who did it and with which app");
  const { events } = (await client.listEvents(await keypairProof(client, "events", newPhone))).ok();
  for (const kind of ["CREATED", "DELETED", "UNDELETED", "RECOVERED", "SYNC_FACTOR_ADDED"] as const)
    if (!events.some((event) => event.kind === kind)) throw new Error(`the security log should have ${kind}`);

  await forget(client, account, recoveryKey, announce);
}

/** A bad app uploads an empty state. The state before is restored, if the service keeps versions. */
async function restoreReplaced(
  client: ApiClient,
  phone: FactorKeypair,
  good: ReturnType<typeof ciphertext>,
  announce: Announce,
): Promise<void> {
  announce("A bad version of the app replaces the backup by an empty state");
  const empty = ciphertext("");
  const hashes = { currentManifestHash: good.manifestHash, newManifestHash: empty.manifestHash };
  const update = { ...(await keypairProof(client, "sync", phone)), ...hashes };
  (await client.sync(update, empty.bytes)).ok();

  announce("The metadata list the state before as a version");
  const metadata = await client.retrieveMetadata(await keypairProof(client, "retrieve-metadata", phone));
  const [version] = metadata.ok().versions;
  if (version === undefined) {
    announce(
      "This service keeps no versions (VERSIONS_KEEP_LAST=0), so the app uploads the good state again",
    );
    const back = { currentManifestHash: empty.manifestHash, newManifestHash: good.manifestHash };
    (await client.sync({ ...(await keypairProof(client, "sync", phone)), ...back }, good.bytes)).ok();
    return;
  }
  expectSame(version.manifestHash, good.manifestHash, "the manifest hash of the version");

  announce("The phone restores it, and the empty state becomes a version");
  const { versionId } = version;
  const restoring = await keypairProof(client, "restore-version", phone, { versionId });
  const restored = await client.restoreVersion({
    ...restoring,
    versionId,
    currentManifestHash: empty.manifestHash,
  });
  expectSame(restored.ok().backupMetadata.manifestHash, good.manifestHash, "the restored manifest hash");
}

async function forget(
  client: ApiClient,
  { backupAccountId, sign }: AccountKeypair,
  recoveryKey: FactorKeypair,
  announce: Announce,
): Promise<void> {
  announce("A reset with the account key deletes all of it for good, versions and log as well");
  const { challenge, token } = (await client.keypairChallenge("reset", { backupAccountId })).ok();
  (await client.reset({ backupAccountId, signature: sign(challenge), challengeToken: token })).ok();
  const backupId = backupAccountId;
  const proof = await keypairProof(client, "undelete", recoveryKey, { backupId });
  const late = await client.undelete({ ...proof, backupId });
  expectSame(late.code(), "backup_does_not_exist", "an undelete after the reset");
}
