import { accountKey } from "../client/account-key.ts";
import { type BackupClient, keypair } from "../client/index.ts";
import { type Announce, ciphertext, expectRefusal, expectSame, icloudKey } from "./demo-device.ts";

/**
 * One user's life with keypair factors: create, recover on a new device, update, lose the old device, delete, and the
 * last resort, a reset with the account key.
 *
 * @throws Error when a response is not the expected one.
 */
export async function playKeypairLife(client: BackupClient, announce: Announce): Promise<void> {
  const account = accountKey();
  const { backupAccountId: backupId } = account;
  const [main, oldPhone, newPhone] = [await keypair(), await keypair(), await keypair()];
  const first = ciphertext("the first state of the user's data");
  const second = ciphertext("the second state of the user's data");

  announce(
    "The old phone creates a backup: its main factor is a recovery key, its sync factor the phone's own key",
  );
  const creation = { main, account, content: first, encryptionKey: icloudKey() };
  const { backupMetadata } = await client.create({ ...creation, sync: oldPhone });

  announce("Any client may ask with what kind of factor the backup can be recovered");
  await client.status(backupId);

  announce("The phone is lost. A new one recovers the backup with the recovery key");
  const { content, syncFactorToken } = await client.recover(main);
  expectSame(content, first, "the recovered backup");

  announce("The new phone adds its sync factor to the backup");
  await client.addSyncFactor(newPhone, { syncFactorToken });

  announce("The new phone updates the backup");
  const currentManifestHash = backupMetadata.manifestHash;
  await client.sync(newPhone, { content: second, currentManifestHash });

  announce("An update from a state that is no longer current is refused");
  const late = client.sync(oldPhone, { content: first, currentManifestHash });
  await expectRefusal(late, "manifest_hash_mismatch", "the late update");

  announce("The new phone removes the lost phone's factor");
  const lost = (await client.metadata(newPhone)).syncFactors.find(
    ({ kind }) => kind.kind === "EC_KEYPAIR" && kind.publicKey === oldPhone.publicKey,
  );
  await client.removeFactor(newPhone, { factorId: lost?.id ?? "", scope: "SYNC" });
  await expectRefusal(client.metadata(oldPhone), "backup_untraceable", "the lost phone's request");

  announce("The recovery key still recovers, and gets the new state");
  await client.verify(main);
  expectSame((await client.recover(main)).content, second, "the updated backup");

  announce("The new phone deletes the backup");
  await client.deleteBackup(newPhone);

  announce("Created again, and reset with the account key by a user who lost every factor");
  await client.create({ ...creation, sync: newPhone });
  await client.reset(account);
  await expectRefusal(client.status(backupId), "not_found", "the status after the reset");
}
