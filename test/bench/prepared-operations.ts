/** One request of each operation, ready to be sent. */

import { addFactorRequest } from "../crash/scenario.ts";
import type { ApiClient, ApiResponse } from "../support/api-client.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import {
  addSyncFactorRequest,
  createPayload,
  metadataOf,
  newUser,
  recovered,
  replacedContent,
  resetRequest,
  solved,
  syncPayload,
  userWithBackup,
} from "../support/users.ts";

/** Makes what a request needs; returns what sends it. */
type Prepare = () => Promise<() => Promise<ApiResponse<unknown>>>;

/** Each operation, sent once by a user of its own with a keypair and one device. */
export function preparedOperations(client: ApiClient): Record<string, Prepare> {
  return {
    challenge: async () => () => client.keypairChallenge("sync"),
    create: async () => {
      const user = newUser();
      const payload = await createPayload(client, user);
      return () => client.create(payload, user.backup);
    },
    retrieve: async () => {
      const request = await solved(client, "retrieve", (await userWithBackup(client)).main);
      return () => client.retrieve(request);
    },
    "verify-factor": async () => {
      const request = await solved(client, "verify-factor", (await userWithBackup(client)).main);
      return () => client.verifyFactor(request);
    },
    "retrieve-metadata": async () => {
      const request = await solved(client, "retrieve-metadata", (await userWithBackup(client)).sync);
      return () => client.retrieveMetadata(request);
    },
    "retrieve-metadata, again that day": async () => {
      const user = await userWithBackup(client);
      await metadataOf(client, user);
      const request = await solved(client, "retrieve-metadata", user.sync);
      return () => client.retrieveMetadata(request);
    },
    "add-factor": async () => {
      const { main } = await userWithBackup(client);
      const request = await addFactorRequest(client, main, createFactorKeypair());
      return () => client.addFactor(request);
    },
    "add-sync-factor": async () => {
      const { syncFactorToken } = await recovered(client, await userWithBackup(client));
      const request = await addSyncFactorRequest(client, createFactorKeypair(), syncFactorToken);
      return () => client.addSyncFactor(request);
    },
    sync: async () => {
      const user = await userWithBackup(client);
      const payload = await syncPayload(client, user);
      return () => client.sync(payload, user.backup);
    },
    "delete-factor": async () => {
      const user = await userWithBackup(client);
      const factorId = (await metadataOf(client, user)).syncFactors[0]?.id ?? "";
      const request = await solved(client, "delete-factor", user.sync, { factorId });
      return () => client.deleteFactor({ ...request, factorId, scope: "SYNC" });
    },
    "delete-backup": async () => {
      const request = await solved(client, "delete-backup", (await userWithBackup(client)).sync);
      return () => client.deleteBackup(request);
    },
    reset: async () => {
      const request = await resetRequest(client, await userWithBackup(client));
      return () => client.reset(request);
    },
    undelete: async () => {
      const user = await userWithBackup(client);
      (await client.deleteBackup(await solved(client, "delete-backup", user.sync))).ok();
      const { backupAccountId: backupId } = user.account;
      const request = await solved(client, "undelete", user.main, { backupId });
      return () => client.undelete({ ...request, backupId });
    },
    "restore-version": async () => {
      const { user, versionId } = await replacedContent(client, await userWithBackup(client));
      const request = await solved(client, "restore-version", user.sync, { versionId });
      return () => client.restoreVersion({ ...request, versionId, currentManifestHash: user.manifestHash });
    },
    events: async () => {
      const request = await solved(client, "events", (await userWithBackup(client)).sync);
      return () => client.listEvents(request);
    },
    status: async () => {
      const user = await userWithBackup(client);
      return () => client.backupStatus({ backupId: user.account.backupAccountId });
    },
  };
}
