import { accountKey } from "../client/account-key.ts";
import type { ApiClient } from "../client/api-client.ts";
import { type BackupClient, idToken, type KeypairFactor, keypair, passkey } from "../client/index.ts";
import { type Announce, ciphertext, encryptedKey, expectSame, icloudKey } from "./demo-device.ts";
import { demoPasskeys } from "./demo-passkey.ts";

/** What the demo calls: operations for apps, and those that exist in development only. */
export interface DemoClients {
  readonly client: BackupClient;
  readonly api: ApiClient;
}

/**
 * One user with every kind of main factor: a backup made with a passkey, to which a recovery key and an account are
 * added, each of which then recovers it.
 *
 * @param origin where the passkeys say they were used.
 * @throws Error when a response is not the expected one.
 */
export async function playFactorsLife(
  { client, api }: DemoClients,
  origin: string,
  announce: Announce,
): Promise<void> {
  const account = accountKey();
  const phonePasskey = passkey({
    name: "ada",
    displayName: "Ada",
    label: "Ada's phone",
    passkeys: demoPasskeys(origin),
    prfInput: null,
  });
  const [recoveryKey, phone] = [await keypair(), await keypair()];
  const content = ciphertext("the user's data");

  announce("A backup with a passkey as main factor, and a proof that the account id is the user's own");
  const encryptionKey = { kind: "PRF", encryptedKey: encryptedKey() } as const;
  await client.create({ main: phonePasskey, sync: phone, account, content, encryptionKey });

  announce("The passkey recovers it");
  expectSame((await client.recover(phonePasskey)).content, content, "what the passkey recovered");

  announce("The passkey agrees to a recovery key as a further main factor, and the key proves itself");
  await client.addFactor({ existing: phonePasskey, added: recoveryKey, encryptionKey: icloudKey() });
  expectSame((await client.recover(recoveryKey)).content, content, "what the recovery key recovered");

  await addAccount({ client, api }, recoveryKey, content, announce);

  announce("Any client may see with which kinds of factor the backup can be recovered");
  await client.status(account.backupAccountId);
  await client.deleteBackup(phone);
}

/** Adds a Google test account, if the service has a test issuer. */
async function addAccount(
  { client, api }: DemoClients,
  existing: KeypairFactor,
  content: Uint8Array,
  announce: Announce,
): Promise<void> {
  const signIn = (publicKey: string) =>
    api.idToken({ provider: "GOOGLE", email: "ada@example.com", publicKey });

  announce("A Google test account signs in, bound to a session key of the app");
  if ((await signIn(existing.publicKey)).status === 404) {
    announce("This service has no test issuer, so the accounts are left out");
    return;
  }
  const account = idToken({
    provider: "GOOGLE",
    signIn: async (_nonce, publicKey) => (await signIn(publicKey)).ok().token,
  });

  announce("The recovery key agrees to the account as a further main factor");
  await client.addFactor({
    existing,
    added: account,
    encryptionKey: {
      kind: "TURNKEY",
      encryptedKey: encryptedKey(),
      turnkeyAccountId: "demo",
      turnkeyUserId: "demo",
      turnkeyPrivateKeyId: "demo",
    },
    turnkeyProviderId: "demo",
  });

  announce("The account signs in again, with a new session key, and recovers the backup");
  expectSame((await client.recover(account)).content, content, "what the account recovered");
}
