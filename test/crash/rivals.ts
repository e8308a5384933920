/** Requests of others to a backup while a request is in progress. */
import type { EventKind } from "../../src/protocol/event.ts";
import type { Services } from "../../src/services.ts";
import type { ApiClient, ApiResponse } from "../support/api-client.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { createPayloadOf, type FactorUser, recoveredBy, undeletionRequest } from "../support/factors.ts";
import { manifestHashOf } from "../support/invariants.ts";
import {
  addSyncFactorRequest,
  metadataOf,
  randomBytes,
  resetRequest,
  solved,
  syncPayload,
} from "../support/users.ts";
import type { Operation } from "./operations.ts";
import {
  addDevice,
  additionIn,
  isListed,
  isStored,
  newOwner,
  ownerIn,
  refOf,
  type Setting,
} from "./scenario.ts";

export interface Rival {
  readonly name: string;
  /** As for an operation. */
  readonly on?: Operation["on"];
  /** The operation that has another effect once the rival has come. */
  readonly notWith?: string;
  /** The events that it leaves in the logs of the backup, if that does not end. */
  readonly leaves: readonly EventKind[];
  /** The error codes that the request may get then. */
  refusals(operation: string): readonly string[];
  /** Whether the rival deletes or replaces the backup, so that the request's effect may be gone. */
  readonly endsBackup: boolean;
  /** The operation of which the rival makes the same change, so that what is stored does not show which of them did. */
  readonly sameAs?: string;
  prepare(setting: Setting, user: FactorUser): Promise<RivalRequest>;
}

interface RivalRequest {
  act(client: ApiClient): Promise<ApiResponse<unknown>>;
  /** Whether the rival's acknowledged change is still stored, if no other request has undone it. */
  holds(services: Services): Promise<boolean>;
}

const GONE = [
  "backup_untraceable",
  "backup_missing",
  "unauthorized_factor",
  "not_found",
  "backup_not_found",
  "conflicting_lock",
];

/** The refusals of requests that name a content, once another one is current and has pruned the version. */
const OF_OTHER_CONTENT: Readonly<Record<string, readonly string[]>> = {
  sync: ["manifest_hash_mismatch", "conflicting_lock"],
  "sync, which prunes a version": ["manifest_hash_mismatch", "conflicting_lock"],
  "restore-version": ["manifest_hash_mismatch", "conflicting_lock"],
  "retrieve, a version": ["version_not_found"],
};

export const RIVALS: readonly Rival[] = [
  {
    name: "another device joins",
    leaves: ["SYNC_FACTOR_ADDED"],
    endsBackup: false,
    refusals: () => [],
    async prepare({ client }, user) {
      const { syncFactorToken } = await recoveredBy(client, user.main);
      const laptop = createFactorKeypair();
      const request = await addSyncFactorRequest(client, laptop, syncFactorToken);
      return {
        act: (to) => to.addSyncFactor(request),
        holds: (services) => isListed(services, user, refOf("SYNC", laptop)),
      };
    },
  },
  {
    name: "a device is removed",
    leaves: ["SYNC_FACTOR_REMOVED"],
    endsBackup: false,
    refusals: () => [],
    async prepare({ client }, user) {
      const laptop = createFactorKeypair();
      await addDevice(client, user, laptop);
      const factorId = (await metadataOf(client, user)).syncFactors.at(-1)?.id ?? "";
      const request = {
        ...(await solved(client, "delete-factor", user.sync, { factorId })),
        factorId,
        scope: "SYNC",
      };
      return {
        act: (to) => to.deleteFactor(request),
        holds: async (services) => !(await isListed(services, user, refOf("SYNC", laptop))),
      };
    },
  },
  {
    name: "a main factor is added",
    leaves: ["MAIN_FACTOR_ADDED"],
    endsBackup: false,
    notWith: "delete-factor, the last main factor", // it is not the last one then
    refusals: () => [],
    async prepare(setting, user) {
      const added = setting.newMain();
      const request = await additionIn(setting, user.main, added);
      return {
        act: (to) => to.addFactor(request),
        holds: (services) => isListed(services, user, added.ref),
      };
    },
  },
  {
    name: "the content is replaced",
    leaves: [],
    endsBackup: false,
    refusals: (operation) => OF_OTHER_CONTENT[operation] ?? [],
    async prepare({ client }, user) {
      const content = randomBytes(90);
      const payload = await syncPayload(client, user, manifestHashOf(content));
      return {
        act: (to) => to.sync(payload, content),
        async holds({ records }) {
          const record = await records.read(user.account.backupAccountId);
          return record?.metadata.manifestHash === manifestHashOf(content);
        },
      };
    },
  },
  {
    name: "an earlier content is restored",
    leaves: ["VERSION_RESTORED"],
    sameAs: "restore-version",
    endsBackup: false,
    refusals: (operation) => OF_OTHER_CONTENT[operation] ?? [],
    async prepare({ client }, user) {
      const { versionId, manifestHash } = await versionOf(client, user);
      const proof = await solved(client, "restore-version", user.sync, { versionId });
      const request = { ...proof, versionId, currentManifestHash: user.manifestHash };
      return {
        act: (to) => to.restoreVersion(request),
        async holds({ records }) {
          const record = await records.read(user.account.backupAccountId);
          return record?.metadata.manifestHash === manifestHash;
        },
      };
    },
  },
  {
    name: "the backup is deleted",
    leaves: [],
    endsBackup: true,
    refusals: () => GONE,
    async prepare({ client }, user) {
      const request = await solved(client, "delete-backup", user.sync);
      const { backupAccountId } = user.account;
      return {
        act: (to) => to.deleteBackup(request),
        async holds(services) {
          const kept = await services.records.readDeleted(backupAccountId);
          return kept.length > 0 && !(await isStored(services, user));
        },
      };
    },
  },
  {
    name: "the backup is deleted by another device, and brought back",
    leaves: ["DELETED", "UNDELETED"],
    endsBackup: false,
    refusals: () => GONE,
    async prepare({ client }, user) {
      const thief = createFactorKeypair();
      await addDevice(client, user, thief);
      const deletion = await solved(client, "delete-backup", thief);
      const undeletion = await undeletionRequest(client, user);
      return {
        async act(to) {
          const deleted = await to.deleteBackup(deletion);
          return deleted.status < 300 ? to.undelete(undeletion) : deleted;
        },
        holds: async (services) => !(await isListed(services, user, refOf("SYNC", thief))),
      };
    },
  },
  {
    name: "the backup is reset",
    leaves: [],
    endsBackup: true,
    refusals: () => GONE,
    async prepare({ client }, user) {
      const request = await resetRequest(client, user);
      return { act: (to) => to.reset(request), holds: async (services) => !(await isStored(services, user)) };
    },
  },
  {
    name: "the backup is reset and created again",
    leaves: [],
    endsBackup: true,
    refusals: () => [
      ...GONE,
      "token_not_found",
      "version_not_found",
      "factor_not_found",
      "manifest_hash_mismatch",
      "factor_already_exists",
    ],
    async prepare({ client }, user) {
      const request = await resetRequest(client, user);
      const next = { ...newOwner(), account: user.account, main: user.main, sync: user.sync };
      const payload = await createPayloadOf(client, next);
      return {
        async act(to) {
          await to.reset(request);
          return to.create(payload, next.backup);
        },
        holds: (services) => isStored(services, user),
      };
    },
  },
  {
    name: "somebody else takes the account id",
    leaves: ["CREATED"],
    on: "nothing",
    endsBackup: false,
    refusals: () => ["backup_account_id_already_exists"],
    prepare: (setting, { account }) => creation(setting, { ...ownerIn(setting), account }),
  },
  {
    name: "another backup takes the main factor",
    leaves: [],
    on: "nothing",
    endsBackup: false,
    refusals: () => ["factor_already_exists"],
    prepare: (setting, { main }) => creation(setting, { ...ownerIn(setting), main }),
  },
  {
    name: "another backup takes the sync factor",
    leaves: [],
    on: "nothing",
    endsBackup: false,
    refusals: () => ["factor_already_exists"],
    prepare: (setting, { sync }) => creation(setting, { ...ownerIn(setting), sync }),
  },
  {
    name: "the id is created again",
    leaves: ["CREATED"],
    on: "deleted backup",
    endsBackup: false,
    refusals: (operation) => [
      operation === "undelete" ? "backup_account_id_already_exists" : "conflicting_lock",
    ],
    prepare: (setting, { account }) => creation(setting, { ...ownerIn(setting), account }),
  },
  {
    name: "the backup is brought back by another request",
    leaves: ["UNDELETED"],
    sameAs: "undelete",
    on: "deleted backup",
    endsBackup: false,
    refusals: (operation) =>
      operation === "undelete"
        ? ["backup_account_id_already_exists", "backup_does_not_exist"]
        : ["conflicting_lock"],
    async prepare({ client }, user) {
      const request = await undeletionRequest(client, user);
      return { act: (to) => to.undelete(request), holds: (services) => isStored(services, user) };
    },
  },
  {
    name: "its deleted states are reset",
    leaves: [],
    on: "deleted backup",
    endsBackup: true,
    refusals: (operation) =>
      operation === "undelete" ? ["backup_does_not_exist"] : ["not_found", "conflicting_lock"],
    async prepare({ client }, user) {
      const request = await resetRequest(client, user);
      const { backupAccountId } = user.account;
      return {
        act: (to) => to.reset(request),
        holds: async ({ records }) => (await records.readDeleted(backupAccountId)).length === 0,
      };
    },
  },
  {
    name: "another backup takes the main factor that was on it",
    leaves: [],
    on: "deleted backup",
    endsBackup: false,
    refusals: (operation) => (operation === "undelete" ? ["factor_already_exists"] : []),
    prepare: (setting, { main }) => creation(setting, { ...ownerIn(setting), main }),
  },
];

/** A version of a user's backup. One is made where there is none: then the same content is stored again as it is. */
async function versionOf(client: ApiClient, user: FactorUser) {
  const [version] = (await metadataOf(client, user)).versions;
  if (version !== undefined) return version;
  const other = { ...user, ...newOwner(), account: user.account, main: user.main, sync: user.sync };
  (await client.sync(await syncPayload(client, user, other.manifestHash), other.backup)).ok();
  (await client.sync(await syncPayload(client, other, user.manifestHash), user.backup)).ok();
  const [made] = (await metadataOf(client, user)).versions;
  if (made === undefined) throw new Error("the replaced content is no version");
  return made;
}

async function creation({ client }: Setting, other: FactorUser): Promise<RivalRequest> {
  const payload = await createPayloadOf(client, other);
  return {
    act: (to) => to.create(payload, other.backup),
    holds: (services) => isListed(services, other, other.main.ref),
  };
}
