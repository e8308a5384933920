/** Valid requests by route. Other routes get requests that match their description. */
import {
  addFactorRequest,
  deletedBy,
  newOwner,
  ownerWithBackup,
  undeleteRequest,
} from "../crash/scenario.ts";
import type { ApiClient, RequestBody } from "../support/api-client.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import {
  addSyncFactorRequest,
  createPayload,
  metadataOf,
  recovered,
  replacedContent,
  resetRequest,
  solved,
  syncPayload,
  type User,
} from "../support/users.ts";

type Valid = (client: ApiClient, user: User) => Promise<RequestBody>;

const VALID: Readonly<Record<string, Valid>> = {
  "/v1/create": (client) => createPayload(client, newOwner()),
  "/v1/sync": (client, user) => syncPayload(client, user),
  "/v1/retrieve/from-challenge": (client, { main }) => solved(client, "retrieve", main),
  "/v1/verify-factor": (client, { main }) => solved(client, "verify-factor", main),
  "/v1/retrieve-metadata": (client, { sync }) => solved(client, "retrieve-metadata", sync),
  "/v1/events": (client, { sync }) => solved(client, "events", sync),
  "/v1/restore-version": async (client, first) => {
    const { user, versionId } = await replacedContent(client, first);
    const proof = await solved(client, "restore-version", user.sync, { versionId });
    return { ...proof, versionId, currentManifestHash: user.manifestHash };
  },
  "/v1/undelete": async (client, user) => {
    await deletedBy(client, user);
    return undeleteRequest(client, user);
  },
  "/v1/delete-backup": (client, { sync }) => solved(client, "delete-backup", sync),
  "/v1/reset": (client, user) => resetRequest(client, user),
  "/v1/backup/status": async (_client, { account }) => ({ backupId: account.backupAccountId }),
  "/v1/add-factor": (client, { main }) => addFactorRequest(client, main, createFactorKeypair()),
  "/v1/add-sync-factor": async (client, user) => {
    const { syncFactorToken } = await recovered(client, user);
    return addSyncFactorRequest(client, createFactorKeypair(), syncFactorToken);
  },
  "/v1/delete-factor": async (client, user) => {
    const factorId = (await metadataOf(client, user)).factors[0]?.id ?? "";
    return { ...(await solved(client, "delete-factor", user.sync, { factorId })), factorId, scope: "MAIN" };
  },
};

/** A fresh valid request to a route, by a user of its own; `null` for a route that has none here. */
export async function validRequest(client: ApiClient, path: string): Promise<RequestBody | null> {
  const valid = VALID[path];
  return valid === undefined ? null : valid(client, await ownerWithBackup(client));
}
