import { createAccountKeypair } from "../client/account-keypair.ts";
import type { ApiClient } from "../client/api-client.ts";
import { createFactorKeypair, type FactorKeypair } from "../client/factor-keypair.ts";
import { keypairProof } from "../client/keypair-proof.ts";
import type { RequestOf } from "../protocol/operations.ts";
import { type Announce, ciphertext, encryptedKey, expectSame } from "./demo-device.ts";
import { createDemoPasskey } from "./demo-passkey.ts";

/**
 * One user with every kind of main factor: a backup made with a passkey, to which a recovery key and an account are
 * added, each of which then recovers it.
 *
 * @param origin where the passkeys say they were used.
 * @throws Error when a response is not the expected one.
 */
export async function playFactorsLife(client: ApiClient, origin: string, announce: Announce): Promise<void> {
  const account = createAccountKeypair();
  const passkey = createDemoPasskey(origin);
  const phone = await createFactorKeypair();
  const { bytes, manifestHash } = ciphertext("the user's data");
  const content = bytes.toString("base64");

  announce("A backup with a passkey as main factor, and a proof that the account id is the user's own");
  const creation = (
    await client.passkeyChallenge("create", { name: "ada", displayName: "Ada", platform: "ANDROID" })
  ).ok();
  const joined = await keypairProof(client, "create", phone);
  const payload: RequestOf<"create"> = {
    authorization: {
      kind: "PASSKEY",
      credential: passkey.register(creation.challenge),
      label: "Ada's phone",
    },
    challengeToken: creation.token,
    initialEncryptionKey: { kind: "PRF", encryptedKey: encryptedKey() },
    initialSyncFactor: joined.authorization,
    initialSyncChallengeToken: joined.challengeToken,
    backupAccountId: account.backupAccountId,
    backupAccountChallengeToken: creation.backupAccountChallengeToken,
    backupAccountSignature: account.sign(creation.backupAccountChallenge),
    manifestHash,
  };
  (await client.create(payload, bytes)).ok();

  announce("The passkey recovers it");
  const retrieval = (await client.passkeyChallenge("retrieve")).ok();
  const byPasskey = await client.retrieve({
    authorization: { kind: "PASSKEY", credential: passkey.assert(retrieval.challenge) },
    challengeToken: retrieval.token,
  });
  expectSame(byPasskey.ok().backup, content, "what the passkey recovered");

  announce("The passkey agrees to a recovery key as a further main factor, and the key proves itself");
  const recoveryKey = await createFactorKeypair();
  const addition = (
    await client.addFactorChallenge({
      existingFactorKind: "PASSKEY_ASSERTION",
      newFactor: { kind: "EC_KEYPAIR", publicKey: recoveryKey.publicKey },
    })
  ).ok();
  if (typeof addition.existingFactorChallenge === "string" || typeof addition.newFactorChallenge !== "string")
    throw new Error("a passkey should be asked by options, and a keypair by bytes");
  const added = await client.addFactor({
    existingFactorAuthorization: {
      kind: "PASSKEY",
      credential: passkey.assert(addition.existingFactorChallenge),
    },
    existingFactorChallengeToken: addition.existingFactorToken,
    newFactorAuthorization: await recoveryKey.authorize(addition.newFactorChallenge),
    newFactorChallengeToken: addition.newFactorToken,
    encryptedBackupKey: { kind: "ICLOUD", encryptedKey: encryptedKey() },
  });
  added.ok();
  const byKey = (await client.retrieve(await keypairProof(client, "retrieve", recoveryKey))).ok();
  expectSame(byKey.backup, content, "what the recovery key recovered");

  await addAccount(client, recoveryKey, content, announce);

  announce("Any client may see with which kinds of factor the backup can be recovered");
  (await client.backupStatus({ backupId: account.backupAccountId })).ok();
  (await client.deleteBackup(await keypairProof(client, "delete-backup", phone))).ok();
}

/** Adds a Google test account, if the service has a test issuer. */
async function addAccount(
  client: ApiClient,
  existing: FactorKeypair,
  content: string,
  announce: Announce,
): Promise<void> {
  const signIn = ({ publicKey }: FactorKeypair) =>
    client.idToken({ provider: "GOOGLE", email: "ada@example.com", publicKey });
  const authorization = async (session: FactorKeypair, token: string, challenge: string) => ({
    ...(await session.authorize(challenge)),
    kind: "OIDC_ACCOUNT" as const,
    oidcToken: { kind: "GOOGLE" as const, token },
  });

  announce("A Google test account signs in, bound to a session key of the app");
  const session = await createFactorKeypair();
  const signedIn = await signIn(session);
  if (signedIn.status === 404) {
    announce("This service has no test issuer, so the accounts are left out");
    return;
  }
  const { token } = signedIn.ok();

  announce("The recovery key agrees to the account as a further main factor");
  const addition = (
    await client.addFactorChallenge({
      existingFactorKind: "EC_KEYPAIR",
      newFactor: { kind: "OIDC_ACCOUNT", oidcToken: token },
    })
  ).ok();
  if (typeof addition.existingFactorChallenge !== "string" || typeof addition.newFactorChallenge !== "string")
    throw new Error("keypairs should be asked by bytes");
  const added = await client.addFactor({
    existingFactorAuthorization: await existing.authorize(addition.existingFactorChallenge),
    existingFactorChallengeToken: addition.existingFactorToken,
    newFactorAuthorization: await authorization(session, token, addition.newFactorChallenge),
    newFactorChallengeToken: addition.newFactorToken,
    encryptedBackupKey: {
      kind: "TURNKEY",
      encryptedKey: encryptedKey(),
      turnkeyAccountId: "demo",
      turnkeyUserId: "demo",
      turnkeyPrivateKeyId: "demo",
    },
    turnkeyProviderId: "demo",
  });
  added.ok();

  announce("The account signs in again, with a new session key, and recovers the backup");
  const newSession = await createFactorKeypair();
  const { token: newToken } = (await signIn(newSession)).ok();
  const { challenge, token: challengeToken } = (await client.keypairChallenge("retrieve")).ok();
  const recovered = await client.retrieve({
    authorization: await authorization(newSession, newToken, challenge),
    challengeToken,
  });
  expectSame(recovered.ok().backup, content, "what the account recovered");
}
