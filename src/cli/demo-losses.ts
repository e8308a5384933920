import { accountKey } from "../client/account-key.ts";
import { type BackupClient, type KeypairFactor, keypair } from "../client/index.ts";
import { type Announce, ciphertext, expectRefusal, expectSame, icloudKey, refusalOf } from "./demo-device.ts";

/**
 * What a user gets back: a backup that a thief has deleted, and a content that a faulty app has replaced. A step is left
 * out if the service is configured not to keep what it needs.
 *
 * @throws Error when a response is not the expected one.
 */
export async function playLosses(client: BackupClient, announce: Announce): Promise<void> {
  const account = accountKey();
  const { backupAccountId: backupId } = account;
  const [main, stolenPhone, newPhone] = [await keypair(), await keypair(), await keypair()];
  const good = ciphertext("years of photographs");

  announce("Another user creates a backup, with a recovery key at home and a phone in the pocket");
  await client.create({ main, sync: stolenPhone, account, content: good, encryptionKey: icloudKey() });

  announce("A thief takes the unlocked phone, and deletes everything with the sync factor on it");
  await client.deleteBackup(stolenPhone);
  await expectRefusal(client.status(backupId), "not_found", "the status of the deleted backup");

  announce("On a new phone the recovery key undeletes the backup");
  const refusal = await refusalOf(client.undelete(main, backupId));
  if (refusal !== "none") {
    expectSame(refusal, "backup_does_not_exist", "the refusal of a service that keeps nothing");
    announce("This service keeps no deleted backups (DELETED_KEEP_DAYS=0), so the rest is left out");
    return;
  }

  announce("The stolen phone's sync factor did not come back with the rest");
  await expectRefusal(client.metadata(stolenPhone), "backup_untraceable", "the thief's next request");

  announce("The new phone recovers, and joins with a sync factor of its own");
  const { content, syncFactorToken } = await client.recover(main);
  expectSame(content, good, "what the thief had deleted");
  await client.addSyncFactor(newPhone, { syncFactorToken });

  await restoreReplaced(client, newPhone, good, announce);
  expectSame((await client.recover(main)).content, good, "what is recovered at the end");

  announce("The security log says what happened, who did it and with which app");
  const events = await Array.fromAsync(client.events(newPhone));
  for (const kind of ["CREATED", "DELETED", "UNDELETED", "RECOVERED", "SYNC_FACTOR_ADDED"])
    if (!events.some((event) => event.kind === kind)) throw new Error(`the security log should have ${kind}`);

  announce("A reset with the account key deletes all of it for good, versions and log as well");
  await client.reset(account);
  const late = client.undelete(main, backupId);
  await expectRefusal(late, "backup_does_not_exist", "an undelete after the reset");
}

/** A faulty app uploads empty content. The content before it is restored, if the service keeps versions. */
async function restoreReplaced(
  client: BackupClient,
  phone: KeypairFactor,
  good: Uint8Array,
  announce: Announce,
): Promise<void> {
  const { manifestHash } = await client.metadata(phone);
  announce("A bad version of the app replaces the backup by an empty state");
  const empty = await client.sync(phone, { content: ciphertext(""), currentManifestHash: manifestHash });

  announce("The metadata list the state before as a version");
  const [version] = (await client.metadata(phone)).versions;
  if (version === undefined) {
    announce(
      "This service keeps no versions (VERSIONS_KEEP_LAST=0), so the app uploads the good state again",
    );
    await client.sync(phone, { content: good, currentManifestHash: empty.manifestHash });
    return;
  }
  expectSame(version.manifestHash, manifestHash, "the manifest hash of the version");

  announce("The phone restores it, and the empty state becomes a version");
  const { versionId } = version;
  const restoration = { versionId, currentManifestHash: empty.manifestHash };
  const { backupMetadata } = await client.restoreVersion(phone, restoration);
  expectSame(backupMetadata.manifestHash, manifestHash, "the restored manifest hash");
}
