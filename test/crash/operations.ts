/** Every operation with a proof, as a scenario and with the response to later requests. */
import { syncFactorTokenId } from "../../src/backups/sync-factor-token.ts";
import type { EventKind } from "../../src/protocol/event.ts";
import type { ApiClient } from "../support/api-client.ts";
import { createFactorKeypair, type FactorKeypair } from "../support/factor-keypair.ts";
import { createPayloadOf, proven, recoveredBy } from "../support/factors.ts";
import { manifestHashOf } from "../support/invariants.ts";
import {
  addSyncFactorRequest,
  metadataOf,
  randomBytes,
  resetRequest,
  solved,
  syncPayload,
} from "../support/users.ts";
import { HISTORY_OPERATIONS } from "./history-operations.ts";
import {
  addDevice,
  additionIn,
  isListed,
  isSetAside,
  isStored,
  knownOf,
  ownerIn,
  ownerRequest,
  ownerWithBackupIn,
  refOf,
  type Scenario,
  type Setting,
} from "./scenario.ts";

export interface Operation {
  readonly name: string;
  /** What is there before the request; a backup if not given. */
  readonly on?: "nothing" | "deleted backup";
  /** Whether the main factor signs, comes or goes, so that its kind matters. */
  readonly concernsMain?: true;
  /** The events that a success leaves, one for each time a kind is named. */
  readonly leaves: readonly EventKind[];
  /** The response to a new request for the same change, once the first took effect; `ok` for a success. */
  readonly afterwards: string;
  prepare(setting: Setting): Promise<Scenario>;
}

const FACTOR_OPERATIONS: readonly Operation[] = [
  {
    name: "create",
    concernsMain: true,
    on: "nothing",
    leaves: ["CREATED"],
    afterwards: "backup_account_id_already_exists",
    async prepare(setting) {
      const { client } = setting;
      const user = ownerIn(setting);
      const payload = await createPayloadOf(client, user);
      return {
        user,
        known: knownOf(user),
        tokens: [payload.challengeToken, payload.initialSyncChallengeToken],
        send: (to) => to.create(payload, user.backup),
        sendFresh: async (to) => to.create(await createPayloadOf(to, user), user.backup),
        made: (services) => isListed(services, user, user.main.ref),
      };
    },
  },
  {
    name: "retrieve",
    concernsMain: true,
    leaves: ["RECOVERED"],
    afterwards: "ok",
    prepare: ownerRequest(
      (to, { main }) => proven(to, "retrieve", main),
      (to, request) => to.retrieve(request),
    ),
  },
  {
    name: "verify-factor",
    concernsMain: true,
    leaves: [],
    afterwards: "ok",
    prepare: ownerRequest(
      (to, { main }) => proven(to, "verify-factor", main),
      (to, request) => to.verifyFactor(request),
    ),
  },
  {
    name: "retrieve-metadata",
    leaves: [],
    afterwards: "ok",
    prepare: ownerRequest(
      (to, { sync }) => solved(to, "retrieve-metadata", sync),
      (to, request) => to.retrieveMetadata(request),
    ),
  },
  {
    name: "add-sync-factor",
    leaves: ["SYNC_FACTOR_ADDED"],
    afterwards: "already_used", // of the sync factor token
    async prepare(setting) {
      const { client } = setting;
      const user = await ownerWithBackupIn(setting);
      const { syncFactorToken } = await recoveredBy(client, user.main);
      const [phone, tablet] = [createFactorKeypair(), createFactorKeypair()];
      const request = await addSyncFactorRequest(client, phone, syncFactorToken);
      return {
        user,
        known: knownOf(user, [], [phone, tablet]),
        tokens: [request.challengeToken],
        send: (to) => to.addSyncFactor(request),
        sendFresh: async (to) => to.addSyncFactor(await addSyncFactorRequest(to, tablet, syncFactorToken)),
        async made(services) {
          const listed = await isListed(services, user, refOf("SYNC", phone));
          const token = await services.records.readToken(syncFactorTokenId(syncFactorToken));
          if (token?.redeemed !== listed)
            throw new Error("only one of factor and sync factor token was changed");
          return listed;
        },
      };
    },
  },
  {
    name: "add-sync-factor, in the place of another",
    leaves: ["SYNC_FACTOR_REPLACED"],
    afterwards: "already_used", // of the sync factor token
    async prepare(setting) {
      const { client } = setting;
      const user = await ownerWithBackupIn(setting);
      const [lost, phone, tablet] = [createFactorKeypair(), createFactorKeypair(), createFactorKeypair()];
      await addDevice(client, user, lost);
      const syncFactorToReplace = (await metadataOf(client, user)).syncFactors.at(-1)?.id ?? "";
      const { syncFactorToken } = await recoveredBy(client, user.main);
      const replacement = async (to: ApiClient, keypair: FactorKeypair) => ({
        ...(await addSyncFactorRequest(to, keypair, syncFactorToken)),
        syncFactorToReplace,
      });
      const request = await replacement(client, phone);
      return {
        user,
        known: knownOf(user, [], [lost, phone, tablet]),
        tokens: [request.challengeToken],
        send: (to) => to.addSyncFactor(request),
        sendFresh: async (to) => to.addSyncFactor(await replacement(to, tablet)),
        async made(services) {
          const listed = await isListed(services, user, refOf("SYNC", phone));
          if ((await isListed(services, user, refOf("SYNC", lost))) === listed)
            throw new Error("only one of the two factors was changed");
          return listed;
        },
      };
    },
  },
  {
    name: "sync",
    leaves: [],
    afterwards: "manifest_hash_mismatch",
    async prepare(setting) {
      const { client } = setting;
      const user = await ownerWithBackupIn(setting);
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
          return record?.metadata.manifestHash === manifestHashOf(content);
        },
      };
    },
  },
  {
    name: "add-factor",
    concernsMain: true,
    leaves: ["MAIN_FACTOR_ADDED"],
    afterwards: "ok", // a client that lost the answer repeats the call
    async prepare(setting) {
      const user = await ownerWithBackupIn(setting);
      const added = setting.newMain();
      const request = await additionIn(setting, user.main, added);
      const send = (to: ApiClient, body: typeof request) => to.addFactor(body);
      return {
        user,
        known: knownOf(user, [added]),
        tokens: [request.existingFactorChallengeToken, request.newFactorChallengeToken],
        send: (to) => send(to, request),
        sendFresh: async (to) => send(to, await additionIn({ ...setting, client: to }, user.main, added)),
        made: (services) => isListed(services, user, added.ref),
      };
    },
  },
  {
    name: "delete-factor, a sync factor",
    leaves: ["SYNC_FACTOR_REMOVED"],
    afterwards: "factor_not_found",
    prepare: (setting) => deletion(setting, "SYNC", "further"),
  },
  {
    name: "delete-factor, the sync factor that signs",
    leaves: ["SYNC_FACTOR_REMOVED"],
    afterwards: "backup_untraceable",
    prepare: (setting) => deletion(setting, "SYNC", "first"),
  },
  {
    name: "delete-factor, a main factor",
    concernsMain: true,
    leaves: ["MAIN_FACTOR_REMOVED"],
    afterwards: "factor_not_found",
    prepare: (setting) => deletion(setting, "MAIN", "further"),
  },
  {
    name: "delete-factor, the last main factor",
    concernsMain: true,
    leaves: ["MAIN_FACTOR_REMOVED", "DELETED"],
    afterwards: "backup_untraceable",
    prepare: (setting) => deletion(setting, "MAIN", "first"),
  },
  {
    name: "delete-backup",
    leaves: ["DELETED"],
    afterwards: "ok", // a client that lost the answer repeats the call
    prepare: ownerRequest(
      (to, { sync }) => solved(to, "delete-backup", sync),
      (to, request) => to.deleteBackup(request),
      isSetAside,
    ),
  },
  {
    name: "reset",
    leaves: ["RESET"],
    afterwards: "not_found",
    prepare: ownerRequest(
      resetRequest,
      (to, request) => to.reset(request),
      async (services, user) => !(await isStored(services, user)),
    ),
  },
];

/** A retry of the identical request gets `already_used` once the request took effect, and succeeds before that. */
export const OPERATIONS: readonly Operation[] = [...FACTOR_OPERATIONS, ...HISTORY_OPERATIONS];

/** Removes the factor that the backup was created with, or another one; the first sync factor signs. */
async function deletion(
  setting: Setting,
  scope: "MAIN" | "SYNC",
  which: "first" | "further",
): Promise<Scenario> {
  const { client } = setting;
  const user = await ownerWithBackupIn(setting);
  const [main, device] = [setting.newMain(), createFactorKeypair()];
  if (which === "further" && scope === "SYNC") await addDevice(client, user, device);
  if (which === "further" && scope === "MAIN")
    (await client.addFactor(await additionIn(setting, user.main, main))).ok();
  const metadata = await metadataOf(client, user);
  const factorId = (scope === "MAIN" ? metadata.factors : metadata.syncFactors).at(-1)?.id ?? "";
  const [ofMain, ofSync] = which === "first" ? [user.main, user.sync] : [main, device];
  const removed = scope === "MAIN" ? ofMain.ref : refOf("SYNC", ofSync);
  const request = async (to: ApiClient) => ({
    ...(await solved(to, "delete-factor", user.sync, { factorId })),
    factorId,
    scope,
  });
  const first = await request(client);
  return {
    user,
    known: knownOf(user, [main], [device]),
    tokens: [first.challengeToken],
    send: (to) => to.deleteFactor(first),
    sendFresh: async (to) => to.deleteFactor(await request(to)),
    async made(services) {
      const isListedStill = await isListed(services, user, removed);
      const isWholeBackup = scope === "MAIN" && which === "first";
      if (isWholeBackup && (await isSetAside(services, user)) === isListedStill)
        throw new Error("only one of factor and backup was removed");
      return !isListedStill;
    },
  };
}
