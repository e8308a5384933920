/** The operations on versions, deleted backups and the security log. */
import { readMetadata } from "../../src/backups/model.ts";
import type { Services } from "../../src/services.ts";
import type { ApiClient } from "../support/api-client.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { createPayloadOf, type FactorUser, proven, undeletionRequest } from "../support/factors.ts";
import { manifestHashOf } from "../support/invariants.ts";
import { metadataOf, randomBytes, resetRequest, solved, syncPayload, type User } from "../support/users.ts";
import type { Operation } from "./operations.ts";
import {
  addDevice,
  deletedBy,
  isListed,
  isStored,
  knownOf,
  ownerIn,
  ownerRequest,
  ownerWithBackupIn,
  refOf,
  type Setting,
} from "./scenario.ts";

export const HISTORY_OPERATIONS: readonly Operation[] = [
  {
    name: "sync, which prunes a version",
    leaves: [],
    afterwards: "manifest_hash_mismatch",
    async prepare(setting) {
      const { client } = setting;
      const { user, versionId } = await ownerWithVersion(setting);
      const content = randomBytes(120);
      const payload = await syncPayload(client, user, manifestHashOf(content));
      return {
        user,
        known: knownOf(user),
        tokens: [payload.challengeToken],
        send: (to) => to.sync(payload, content),
        sendFresh: async (to) => to.sync(await syncPayload(to, user, manifestHashOf(content)), content),
        async made({ records }) {
          const record = await records.read(user.account.backupAccountId);
          const [version] = record?.versions ?? [];
          const isReplaced = record?.metadata.manifestHash === manifestHashOf(content);
          if (record?.versions.length !== 1 || (isReplaced && version?.versionId === versionId))
            throw new Error("only one of content and versions was changed");
          return isReplaced;
        },
      };
    },
  },
  {
    name: "retrieve, a version",
    concernsMain: true,
    leaves: ["RECOVERED"],
    afterwards: "ok",
    async prepare(setting) {
      const { client } = setting;
      const { user, versionId } = await ownerWithVersion(setting);
      const fresh = async (to: ApiClient) => ({ ...(await proven(to, "retrieve", user.main)), versionId });
      const request = await fresh(client);
      return {
        user,
        known: knownOf(user),
        tokens: [request.challengeToken],
        send: (to) => to.retrieve(request),
        sendFresh: async (to) => to.retrieve(await fresh(to)),
        made: null,
      };
    },
  },
  {
    name: "restore-version",
    leaves: ["VERSION_RESTORED"],
    afterwards: "manifest_hash_mismatch",
    async prepare(setting) {
      const { client } = setting;
      const { user, earlier, versionId } = await ownerWithVersion(setting);
      const fresh = async (to: ApiClient) => ({
        ...(await solved(to, "restore-version", user.sync, { versionId })),
        versionId,
        currentManifestHash: user.manifestHash,
      });
      const request = await fresh(client);
      return {
        user,
        known: knownOf(user),
        tokens: [request.challengeToken],
        send: (to) => to.restoreVersion(request),
        sendFresh: async (to) => to.restoreVersion(await fresh(to)),
        async made({ records }) {
          const record = await records.read(user.account.backupAccountId);
          const isRestored = record?.metadata.manifestHash === earlier.manifestHash;
          const hashes = (record?.versions ?? []).map((version) => version.manifestHash).join();
          if (isRestored && hashes !== user.manifestHash) throw new Error(`the only version is ${hashes}`);
          return isRestored;
        },
      };
    },
  },
  {
    name: "events",
    leaves: [],
    afterwards: "ok",
    prepare: ownerRequest(
      (to, { sync }) => solved(to, "events", sync),
      (to, request) => to.listEvents(request),
    ),
  },
  {
    name: "undelete",
    concernsMain: true,
    on: "deleted backup",
    leaves: ["UNDELETED"],
    afterwards: "backup_does_not_exist",
    async prepare(setting) {
      const { client } = setting;
      const { user } = await ownerWithVersion(setting);
      const thief = createFactorKeypair();
      await addDevice(client, user, thief);
      await deletedBy(client, { sync: thief });
      const { backupAccountId: backupId } = user.account;
      const request = await undeletionRequest(client, user);
      return {
        user,
        known: knownOf(user, [], [thief]),
        tokens: [request.challengeToken],
        send: (to) => to.undelete(request),
        sendFresh: async (to) => to.undelete(await undeletionRequest(to, user)),
        async made(services) {
          const isBack = await isListed(services, user, user.main.ref);
          const kept = await services.records.readDeleted(backupId);
          if (kept.length !== (isBack ? 0 : 1)) throw new Error(`${kept.length} states are kept`);
          if (!isBack) return false;
          if ((await services.records.locate(refOf("SYNC", thief), [])).backupId !== null)
            throw new Error("the sync factor that deleted the backup came back with it");
          const record = await services.records.read(backupId);
          const { syncFactors = [] } = record === null ? {} : readMetadata(record.metadata);
          if (syncFactors.length !== 1 || record?.versions.length !== 1)
            throw new Error("the backup came back without its other sync factor or its version");
          return true;
        },
      };
    },
  },
  {
    name: "reset, with a deleted state",
    leaves: ["RESET"],
    afterwards: "not_found",
    async prepare(setting) {
      const { client } = setting;
      const { user } = await ownerWithVersion(setting);
      await deletedBy(client, user);
      (await client.create(await createPayloadOf(client, user), user.backup)).ok();
      return resetOf(client, user, async (services) => {
        const isGone = !(await isStored(services, user));
        const kept = await services.records.readDeleted(user.account.backupAccountId);
        if ((kept.length === 0) !== isGone)
          throw new Error("only one of backup and deleted state was removed");
        return isGone;
      });
    },
  },
  {
    name: "reset, of deleted states alone",
    on: "deleted backup",
    leaves: ["RESET"],
    afterwards: "not_found",
    async prepare(setting) {
      const { client } = setting;
      const { user } = await ownerWithVersion(setting);
      await deletedBy(client, user);
      const again = { ...ownerIn(setting), account: user.account, main: user.main, sync: user.sync };
      (await client.create(await createPayloadOf(client, again), again.backup)).ok();
      await deletedBy(client, again);
      return resetOf(client, user, async (services) => {
        const kept = await services.records.readDeleted(user.account.backupAccountId);
        if (kept.length === 1 && !(await isStored(services, user)))
          throw new Error("only one of two deleted states was removed");
        return kept.length === 0;
      });
    },
  },
];

/** A user whose backup has one version, as many as the service keeps. */
export async function ownerWithVersion(setting: Setting) {
  const { client } = setting;
  const earlier = await ownerWithBackupIn(setting);
  const user = { ...earlier, ...contentOf(randomBytes(110)) };
  (await client.sync(await syncPayload(client, earlier, user.manifestHash), user.backup)).ok();
  const [version] = (await metadataOf(client, user)).versions;
  if (version === undefined) throw new Error("the replaced content is no version");
  return { user, earlier, versionId: version.versionId };
}

function contentOf(backup: Uint8Array): Pick<User, "backup" | "manifestHash"> {
  return { backup, manifestHash: manifestHashOf(backup) };
}

async function resetOf(client: ApiClient, user: FactorUser, made: (services: Services) => Promise<boolean>) {
  const request = await resetRequest(client, user);
  return {
    user,
    known: knownOf(user),
    tokens: [request.challengeToken],
    send: (to: ApiClient) => to.reset(request),
    sendFresh: async (to: ApiClient) => to.reset(await resetRequest(to, user)),
    made,
  };
}
