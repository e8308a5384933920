/** A request of one operation, and how to verify its effect in the stored state. */
import type { Scope } from "../../src/protocol/factor.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import type { Services } from "../../src/services.ts";
import { type FactorRef, factorKeys } from "../../src/storage/contract.ts";
import { additionRequest } from "../support/additions.ts";
import type { ApiClient, ApiResponse } from "../support/api-client.ts";
import type { FactorKeypair } from "../support/factor-keypair.ts";
import { createPayloadOf, type FactorUser, type MainFactor, recoveredBy } from "../support/factors.ts";
import { type Known, manifestHashOf } from "../support/invariants.ts";
import {
  addSyncFactorRequest,
  newUser,
  randomBytes,
  signed,
  solved,
  type User,
  userWithBackup,
} from "../support/users.ts";

/** Who takes part in a scenario. */
export interface Setting {
  /** Of a service without faults. */
  readonly client: ApiClient;
  readonly clock: Pick<Clock, "nowMs">;
  /** A main factor of the kind that the scenario is about. */
  newMain(): MainFactor;
}

export interface Scenario {
  readonly user: FactorUser;
  /** The backups and factors that the request and later ones may change. */
  readonly known: Known;
  /** The challenge tokens of the request. */
  readonly tokens: readonly string[];
  /** Sends the identical request each time. */
  send(client: ApiClient): Promise<ApiResponse<unknown>>;
  /** Sends a new request for the same change. */
  sendFresh(client: ApiClient): Promise<ApiResponse<unknown>>;
  /** Whether the stored state has the change; `null` for an operation that only consumes its nonce. */
  readonly made: ((services: Services) => Promise<boolean>) | null;
}

/**
 * A request of an owner with a backup.
 *
 * @param make a new request, with one challenge token.
 * @param made as in {@link Scenario}.
 */
export function ownerRequest<Request extends { readonly challengeToken: string }>(
  make: (client: ApiClient, user: FactorUser) => Promise<Request>,
  send: (client: ApiClient, request: Request) => Promise<ApiResponse<unknown>>,
  made: ((services: Services, user: FactorUser) => Promise<boolean>) | null = null,
): (setting: Setting) => Promise<Scenario> {
  return async (setting) => {
    const user = await ownerWithBackupIn(setting);
    const request = await make(setting.client, user);
    return {
      user,
      known: knownOf(user),
      tokens: [request.challengeToken],
      send: (to) => send(to, request),
      sendFresh: async (to) => send(to, await make(to, user)),
      made: made === null ? null : (services) => made(services, user),
    };
  };
}

/** A user whose manifest hash belongs to the content. */
export function newOwner(content = randomBytes(100)): User {
  return { ...newUser(content), manifestHash: manifestHashOf(content) };
}

export async function ownerWithBackup(client: ApiClient): Promise<User> {
  return userWithBackup(client, newOwner());
}

export function refOf(scope: Scope, { publicKey }: { readonly publicKey: string }): FactorRef {
  return { scope, key: factorKeys.ecKeypair(publicKey) };
}

/** A user without a backup yet, whose main factor is of the setting's kind. */
export function ownerIn({ newMain }: Pick<Setting, "newMain">): FactorUser {
  return { ...newOwner(), main: newMain() };
}

export async function ownerWithBackupIn(setting: Setting): Promise<FactorUser> {
  const user = ownerIn(setting);
  (await setting.client.create(await createPayloadOf(setting.client, user), user.backup)).ok();
  return user;
}

/** A user's backup and factors, with these main and sync factors besides. */
export function knownOf(
  user: FactorUser,
  main: readonly MainFactor[] = [],
  sync: readonly FactorKeypair[] = [],
): Known {
  return {
    backupIds: [user.account.backupAccountId],
    factors: [
      ...[user.main, ...main].map(({ ref }) => ref),
      ...[user.sync, ...sync].map((keypair) => refOf("SYNC", keypair)),
    ],
  };
}

type Owned = Pick<FactorUser, "account">;

export async function isListed(services: Services, user: Owned, factor: FactorRef): Promise<boolean> {
  return (await services.records.locate(factor, [])).backupId === user.account.backupAccountId;
}

export async function isStored({ records }: Services, user: Owned): Promise<boolean> {
  return (await records.read(user.account.backupAccountId)) !== null;
}

/**
 * Whether a backup is deleted and can be brought back.
 *
 * @throws Error where it is lost, or both stored and kept.
 */
export async function isSetAside(services: Services, user: Owned): Promise<boolean> {
  const stored = await isStored(services, user);
  const kept = await services.records.readDeleted(user.account.backupAccountId);
  if (kept.length !== (stored ? 0 : 1))
    throw new Error(`the backup is ${stored ? "stored" : "deleted"}, and ${kept.length} states are kept`);
  return !stored;
}

/** Adds another sync factor to a user's backup. */
export async function addDevice(
  client: ApiClient,
  { main }: Pick<FactorUser, "main">,
  keypair: FactorKeypair,
): Promise<void> {
  const { syncFactorToken } = await recoveredBy(client, main);
  (await client.addSyncFactor(await addSyncFactorRequest(client, keypair, syncFactorToken))).ok();
}

/** Deletes a backup, so that it can be brought back. */
export async function deletedBy(client: ApiClient, { sync }: Pick<User, "sync">): Promise<void> {
  (await client.deleteBackup(await solved(client, "delete-backup", sync))).ok();
}

export async function undeleteRequest(client: ApiClient, { account, main }: Pick<User, "account" | "main">) {
  const { backupAccountId: backupId } = account;
  return { ...(await solved(client, "undelete", main, { backupId })), backupId };
}

/** A request with which a keypair main factor adds another one. */
export async function addFactorRequest(client: ApiClient, existing: FactorKeypair, added: FactorKeypair) {
  const challenges = await client.addFactorChallenge({
    newFactor: { kind: "EC_KEYPAIR", publicKey: added.publicKey },
    existingFactorKind: "EC_KEYPAIR",
  });
  const { existingFactorChallenge, existingFactorToken, newFactorChallenge, newFactorToken } =
    challenges.ok();
  if (typeof existingFactorChallenge !== "string" || typeof newFactorChallenge !== "string")
    throw new Error("keypairs should be asked by bytes");
  return {
    existingFactorAuthorization: signed(existing, existingFactorChallenge),
    existingFactorChallengeToken: existingFactorToken,
    newFactorAuthorization: signed(added, newFactorChallenge),
    newFactorChallengeToken: newFactorToken,
  };
}

/** A request with which a main factor of any kind adds another one. */
export function additionIn(
  { client, clock }: Pick<Setting, "client" | "clock">,
  existing: MainFactor,
  added: MainFactor,
) {
  const { existingKind } = existing;
  return additionRequest(client, { existing, existingKind, added, nowMs: clock.nowMs() });
}
