/** The devices of a run: they send the requests for the model's operations, and read the responses. */

import { deletedStates } from "../../src/backups/deleted-states.ts";
import { readMetadata } from "../../src/backups/model.ts";
import { syncFactorTokenId } from "../../src/backups/sync-factor-token.ts";
import { type BackupRecord, type FactorRef, MAX_EVENTS } from "../../src/storage/contract.ts";
import { additionIn, refOf } from "../crash/scenario.ts";
import { createAccountKeypair } from "../support/account-keypair.ts";
import type { ApiClient, ApiResponse } from "../support/api-client.ts";
import { type AppName, scopeOf, servicesOf } from "../support/apps.ts";
import type { CampaignConditions, MainKind } from "../support/campaign-conditions.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import {
  createPayloadOf,
  ICLOUD,
  isPasskey,
  newKeypair,
  PRF,
  proven,
  shownIn,
  TURNKEY,
  undeletionRequest,
} from "../support/factors.ts";
import { knownIn, manifestHashOf } from "../support/invariants.ts";
import type { TestService } from "../support/service.ts";
import { addSyncFactorRequest, randomBytes, solved } from "../support/users.ts";
import { ACCOUNTS, CONTENTS, KEYPAIRS } from "./commands.ts";
import type { KeyKind, Op, Outcome, Scope, World } from "./world.ts";

/** A request that is ready to be sent, any number of times. */
export interface Prepared {
  readonly op: Op;
  /** When its challenges were issued; `null` if it has none. */
  readonly challengedAtMs: number | null;
  /** The signature counters in it, as in the model. */
  readonly shown: number;
  readonly registered: number;
  /** Sends it to the app that it is for, or to another one, which has no state in common with it. */
  send(to?: ApiClient): Promise<Outcome>;
}

const ENCRYPTION_KEYS = { PRF, ICLOUD, TURNKEY } as const satisfies Record<KeyKind, object>;
const NO_ID = "00000000-0000-4000-8000-000000000000";
const ALL_EVENTS = { before: null, limit: MAX_EVENTS };

export type Devices = ReturnType<typeof createDevices>;

/** People with factors and contents, who may use several apps. */
export type People = ReturnType<typeof createPeople>;

export function createPeople(conditions: CampaignConditions, mainKinds: readonly MainKind[]) {
  const keypairs = Array.from({ length: KEYPAIRS }, createFactorKeypair);
  const mains = keypairs.map((keypair, index) => {
    const kind = at(mainKinds, index);
    return kind === "keypair" ? newKeypair(keypair) : conditions.newMain(kind);
  });
  return {
    accounts: Array.from({ length: ACCOUNTS }, createAccountKeypair),
    keypairs,
    mains,
    mainModels: mains.map(({ kind, existingKind }, index) => ({
      kind,
      stamps: existingKind === "PASSKEY",
      refusesLower: mainKinds[index] === "passkey that counts",
    })),
    contents: Array.from({ length: CONTENTS }, () => randomBytes(40)),
  };
}

/** Creates the devices of an app. Many runs can share a service, each with its own people. */
export function createDevices(
  service: TestService,
  conditions: CampaignConditions,
  { accounts, keypairs, mains, mainModels, contents }: People,
  app: AppName,
) {
  const { url, clock } = service;
  const services = servicesOf(service, app);
  const client = conditions.newClient(url, { app });
  const hashes = contents.map(manifestHashOf);
  /** The sync factor tokens in the order of the responses. */
  const tokens: string[] = [];
  const neverIssued = Buffer.from(randomBytes(32)).toString("base64url");
  const backupIds = accounts.map(({ backupAccountId }) => backupAccountId);
  const factors = [...mains.map(({ ref }) => ref), ...keypairs.map((keypair) => refOf("SYNC", keypair))];
  const known = knownIn(scopeOf(app), { backupIds, factors });

  return { client, known, mainModels, prepare, stored };

  async function prepare(op: Op, world: World): Promise<Prepared> {
    const challengedAtMs = op.op === "status" ? null : clock.nowMs();
    const registered = counterOf(op.op === "create" ? op.main : op.op === "add-factor" ? op.factor : null);
    const send = await requestOf(op, world);
    const shown = counterOf("by" in op ? op.by : null);
    return {
      op,
      challengedAtMs,
      shown,
      registered,
      send: async (to = client) => outcomeOf(op, await send(to)),
    };
  }

  function counterOf(main: number | null): number {
    const factor = main === null ? null : at(mains, main);
    return factor !== null && isPasskey(factor) ? factor.authenticator.counter : 0;
  }

  async function requestOf(op: Op, world: World): Promise<(to: ApiClient) => Promise<ApiResponse<unknown>>> {
    switch (op.op) {
      case "create": {
        const content = at(contents, op.content);
        const payload = await createPayloadOf(client, {
          account: at(accounts, op.account),
          main: at(mains, op.main),
          sync: at(keypairs, op.sync),
          backup: content,
          manifestHash: at(hashes, op.content),
        });
        return (to) => to.create(payload, content);
      }
      case "sync": {
        const proof = await solved(client, "sync", at(keypairs, op.by));
        const newManifestHash = at(hashes, op.next);
        const payload = { ...proof, currentManifestHash: hashOf(op.current), newManifestHash };
        return (to) => to.sync(payload, at(contents, op.next));
      }
      case "restore-version": {
        const versionId = await versionIdOf(world, op.version);
        const proof = await solved(client, "restore-version", at(keypairs, op.by), { versionId });
        const request = { ...proof, versionId, currentManifestHash: hashOf(op.current) };
        return (to) => to.restoreVersion(request);
      }
      case "retrieve": {
        const versionId = op.version === null ? null : await versionIdOf(world, op.version);
        const request = { ...(await proven(client, "retrieve", at(mains, op.by))), versionId };
        return (to) => to.retrieve(request);
      }
      case "verify-factor": {
        const request = await proven(client, "verify-factor", at(mains, op.by));
        return (to) => to.verifyFactor(request);
      }
      case "retrieve-metadata": {
        const proof = await solved(client, "retrieve-metadata", at(keypairs, op.by));
        const backupId = op.expecting === null ? null : at(accounts, op.expecting).backupAccountId;
        return (to) => to.retrieveMetadata({ ...proof, backupId });
      }
      case "add-sync-factor": {
        const token = op.token === null ? neverIssued : at(tokens, op.token);
        const request = await addSyncFactorRequest(client, at(keypairs, op.factor), token);
        const syncFactorToReplace = op.replaces === null ? null : await idOf(world, "SYNC", op.replaces);
        return (to) => to.addSyncFactor({ ...request, syncFactorToReplace });
      }
      case "add-factor": {
        const request = await additionIn({ client, clock }, at(mains, op.by), at(mains, op.factor));
        const body = { ...request, encryptedBackupKey: op.key && ENCRYPTION_KEYS[op.key] };
        return (to) => to.addFactor(body);
      }
      case "delete-factor": {
        const factorId = await idOf(world, op.scope, op.target);
        const proof = await solved(client, "delete-factor", at(keypairs, op.by), { factorId });
        const body = {
          ...proof,
          factorId,
          scope: op.scope,
          encryptionKey: op.key && ENCRYPTION_KEYS[op.key],
        };
        return (to) => to.deleteFactor(body);
      }
      case "delete-backup": {
        const request = await solved(client, "delete-backup", at(keypairs, op.by));
        return (to) => to.deleteBackup(request);
      }
      case "undelete": {
        const user = { account: at(accounts, op.account), main: at(mains, op.by) };
        const request = await undeletionRequest(client, user);
        return (to) => to.undelete(request);
      }
      case "list-events": {
        const request = { ...(await solved(client, "events", at(keypairs, op.by))), limit: 100 };
        return (to) => to.listEvents(request);
      }
      case "reset": {
        const account = at(accounts, op.account);
        const { backupAccountId } = account;
        const { challenge, token } = (await client.keypairChallenge("reset", { backupAccountId })).ok();
        const request = { backupAccountId, signature: account.sign(challenge), challengeToken: token };
        return (to) => to.reset(request);
      }
      case "status":
        return (to) => to.backupStatus({ backupId: at(accounts, op.account).backupAccountId });
    }
  }

  /** The id that the service gave a factor. */
  async function idOf(world: World, scope: Scope, serial: number | null): Promise<string> {
    for (const [account, { mains, syncs }] of world.backups) {
      const place = (scope === "MAIN" ? mains : syncs).findIndex((factor) => factor.serial === serial);
      if (place === -1) continue;
      const record = await services.records.read(at(accounts, account).backupAccountId);
      if (record === null) throw new Error("the backup is not stored");
      const { factors, syncFactors } = readMetadata(record.metadata);
      return at<{ id: string }>(scope === "MAIN" ? factors : syncFactors, place).id;
    }
    return NO_ID;
  }

  /** The id that the service gave a version. */
  async function versionIdOf(world: World, serial: number): Promise<string> {
    for (const [account, { versions }] of world.backups) {
      const place = versions.findIndex((version) => version.serial === serial);
      if (place === -1) continue;
      const record = await services.records.read(at(accounts, account).backupAccountId);
      return at(record?.versions ?? [], place).versionId;
    }
    return NO_ID;
  }

  /** `null`: the manifest hash of a content that was never stored. */
  function hashOf(content: number | null): string {
    return content === null ? manifestHashOf(randomBytes(9)) : at(hashes, content);
  }

  function outcomeOf(op: Op, answer: ApiResponse<unknown>): Outcome {
    if (answer.status >= 300) return { code: answer.code() };
    const body: unknown = answer.ok();
    if (!isObject(body)) return { ok: null };
    if (Array.isArray(body.events)) return { ok: { events: body.events.map(kindOf).toSorted() } };
    if (typeof body.syncFactorToken === "string") tokens.push(body.syncFactorToken);
    const backup = typeof body.backup === "string" ? body.backup : null;
    if (backup !== null && isObject(body.metadata)) {
      const served = contents.findIndex((bytes) => Buffer.from(bytes).toString("base64") === backup);
      return { ok: { served, ...viewOf(body.metadata) } };
    }
    if ("backupMetadata" in body)
      return { ok: isObject(body.backupMetadata) ? viewOf(body.backupMetadata) : null };
    if (op.op === "status" && Array.isArray(body.factors)) return { ok: body.factors.length };
    if ("manifestHash" in body) return { ok: viewOf(body) };
    return { ok: accounts.findIndex(({ backupAccountId }) => backupAccountId === body.backupId) };
  }

  /** Exported metadata by the numbers of the model. */
  function viewOf(metadata: Record<string, unknown>) {
    const { id, versions, keys, factors, syncFactors } = metadata;
    return {
      account: accounts.findIndex(({ backupAccountId }) => backupAccountId === id),
      content: contentOf(metadata),
      versions: list(versions).map(contentOf),
      keys: list(keys).map((key) => (isObject(key) ? key.kind : null)),
      mains: list(factors).map((factor) => mains.findIndex(({ shown }) => shown === shownIn(factor))),
      syncs: list(syncFactors).map((factor) =>
        keypairs.findIndex(({ publicKey }) => publicKey === shownIn(factor)),
      ),
    };
  }

  /** The content that a manifest hash names. */
  function contentOf(described: unknown): number {
    const hash = isObject(described) ? described.manifestHash : null;
    return typeof hash === "string" ? hashes.indexOf(hash) : -1;
  }

  /** The state past the API, in the shape of {@link modelled}. */
  async function stored() {
    const backups = [];
    const deleted = [];
    for (const { backupAccountId } of accounts) {
      const record = await services.records.read(backupAccountId);
      if (record !== null) backups.push(await stateOf(record));
      for await (const state of deletedStates(services.records, backupAccountId))
        deleted.push(await stateOf(state));
    }
    const rows = await Promise.all(factors.map((factor) => accountIn(factor)));
    const usable = await Promise.all(
      tokens.map(
        async (token) => (await services.records.readToken(syncFactorTokenId(token)))?.redeemed === false,
      ),
    );
    return { backups, deleted, rows, usable };
  }

  async function stateOf({ metadata, versions }: BackupRecord) {
    const { logId, factors } = readMetadata(metadata);
    const counters = factors.map(({ kind }) => (kind.kind === "PASSKEY" ? kind.credential.counter : 0));
    const read = logId === undefined ? null : await services.records.readEvents(logId, ALL_EVENTS);
    const events = read === null ? [] : read.events.map(({ body }) => kindOf(body)).toSorted();
    return { ...viewOf({ ...metadata, versions }), events, counters };
  }

  async function accountIn(factor: FactorRef): Promise<number> {
    const { backupId } = await services.records.locate(factor, []);
    return accounts.findIndex(({ backupAccountId }) => backupAccountId === backupId);
  }
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new Error(`there is no number ${index}`);
  return item;
}

function kindOf(event: unknown): string {
  return isObject(event) && typeof event.kind === "string" ? event.kind : "";
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
