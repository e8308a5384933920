/** People with backups, and the requests that their devices would send: valid ones, for tests to change. */

import type { KeypairSolvable } from "../../src/protocol/challenge-operations.ts";
import { type AccountKeypair, createAccountKeypair } from "./account-keypair.ts";
import type { ApiClient, RequestBody } from "./api-client.ts";
import { createFactorKeypair, type FactorKeypair } from "./factor-keypair.ts";

export interface User {
  readonly account: AccountKeypair;
  readonly main: FactorKeypair;
  readonly sync: FactorKeypair;
  readonly backup: Uint8Array;
  readonly manifestHash: string;
}

export function newUser(backup: Uint8Array = randomBytes(100)): User {
  return {
    account: createAccountKeypair(),
    main: createFactorKeypair(),
    sync: createFactorKeypair(),
    backup,
    manifestHash: newManifestHash(),
  };
}

export function newManifestHash(): string {
  return Buffer.from(randomBytes(32)).toString("hex");
}

export function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let start = 0; start < length; start += 65_536)
    crypto.getRandomValues(bytes.subarray(start, start + 65_536));
  return bytes;
}

/** `authorization` and `challengeToken` of a keypair that has solved a challenge. */
export async function solved(
  client: ApiClient,
  operation: KeypairSolvable,
  keypair: FactorKeypair,
  bound: RequestBody = {},
) {
  const { challenge, token } = (await client.keypairChallenge(operation, bound)).ok();
  return { authorization: signed(keypair, challenge), challengeToken: token };
}

export function signed(keypair: FactorKeypair, challenge: string) {
  return { kind: "EC_KEYPAIR", publicKey: keypair.publicKey, signature: keypair.sign(challenge) };
}

export async function createPayload(client: ApiClient, user: User) {
  const main = await solved(client, "create", user.main);
  const sync = await solved(client, "create", user.sync);
  return {
    ...main,
    initialEncryptionKey: { kind: "ICLOUD", encryptedKey: "RU5DUllQVEVE" },
    initialSyncFactor: sync.authorization,
    initialSyncChallengeToken: sync.challengeToken,
    manifestHash: user.manifestHash,
    backupAccountId: user.account.backupAccountId,
  };
}

/** A user whose backup is on the service. */
export async function userWithBackup(client: ApiClient, user = newUser()): Promise<User> {
  (await client.create(await createPayload(client, user), user.backup)).ok();
  return user;
}

export async function syncPayload(
  client: ApiClient,
  user: Pick<User, "sync" | "manifestHash">,
  newHash = newManifestHash(),
) {
  return {
    ...(await solved(client, "sync", user.sync)),
    currentManifestHash: user.manifestHash,
    newManifestHash: newHash,
  };
}

/** Replaces a user's content. Returns the user with the new one, and the id of the version that the old one became. */
export async function replacedContent<T extends Pick<User, "sync" | "manifestHash" | "backup">>(
  client: ApiClient,
  user: T,
): Promise<{ readonly user: T; readonly versionId: string }> {
  const next = { ...user, manifestHash: newManifestHash(), backup: randomBytes(100) };
  (await client.sync(await syncPayload(client, user, next.manifestHash), next.backup)).ok();
  const [version] = (await metadataOf(client, next)).versions;
  if (version === undefined) throw new Error("the replaced content is no version");
  return { user: next, versionId: version.versionId };
}

export async function addSyncFactorRequest(
  client: ApiClient,
  keypair: FactorKeypair,
  syncFactorToken: string,
) {
  const { authorization, challengeToken } = await solved(client, "add-sync-factor", keypair);
  return { syncFactor: authorization, challengeToken, syncFactorToken };
}

export async function resetRequest(client: ApiClient, { account }: Pick<User, "account">) {
  const { backupAccountId } = account;
  const { challenge, token } = (await client.keypairChallenge("reset", { backupAccountId })).ok();
  return { backupAccountId, signature: account.sign(challenge), challengeToken: token };
}

/** Recovers a user's backup with the main factor. */
export async function recovered(client: ApiClient, user: User) {
  return (await client.retrieve(await solved(client, "retrieve", user.main))).ok();
}

/** Reads a user's metadata with the sync factor. */
export async function metadataOf(client: ApiClient, user: Pick<User, "sync">) {
  return (await client.retrieveMetadata(await solved(client, "retrieve-metadata", user.sync))).ok();
}
