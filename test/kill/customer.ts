/** A client with a backup, which records what the service acknowledged and compares it with what is stored. */

import type { EventKind } from "../../src/protocol/event.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { additionIn } from "../crash/scenario.ts";
import type { ApiClient, ApiResponse } from "../support/api-client.ts";
import { type AppName, TWO_APPS } from "../support/apps.ts";
import type { CampaignConditions } from "../support/campaign-conditions.ts";
import type { FactorKeypair } from "../support/factor-keypair.ts";
import { createPayloadOf, type MainFactor, proven, shownIn, undeletionRequest } from "../support/factors.ts";
import { manifestHashOf } from "../support/invariants.ts";
import { pseudoRandom } from "../support/pseudo-random.ts";
import { addSyncFactorRequest, randomBytes, resetRequest, solved, syncPayload } from "../support/users.ts";
import { Person } from "./person.ts";

/** The expected state of a backup. The first main factor is removed last, and the first sync factor only by an undelete. */
interface ExpectedState {
  readonly content: Uint8Array;
  /** The contents before, newest first: as many as the service keeps of one day. */
  readonly earlier: readonly Uint8Array[];
  readonly mains: readonly [MainFactor, ...MainFactor[]];
  readonly syncs: readonly FactorKeypair[];
  /** The kinds of its events, oldest first, but for recoveries. */
  readonly log: readonly EventKind[];
}

/** The backup of an account, or what its latest deletion has left to be brought back. */
interface Expected {
  readonly stored: ExpectedState | null;
  readonly kept: ExpectedState | null;
}

/** A prepared change: the request, which can be retried, and what is expected once it is acknowledged. */
interface Change {
  readonly name: string;
  readonly after: Expected;
  /** The events that it leaves, in their order. */
  readonly leaves: readonly EventKind[];
  send(client: ApiClient): Promise<ApiResponse<unknown>>;
}

/** What a webhook must have received of an account at an app. */
export interface ExpectedEvents {
  readonly app: AppName;
  readonly backupId: string;
  /** In their order, but for recoveries. */
  readonly kinds: readonly EventKind[];
  /** How many recoveries there were at least, and at most. */
  readonly recoveries: { readonly answered: number; readonly sent: number };
}

interface CustomerOptions {
  readonly random: () => number;
  readonly conditions: CampaignConditions;
  readonly person: Person;
  readonly app: AppName;
  /** How often a request is repeated at most, while a store or another request is in its way. */
  readonly maxRepeats?: number;
}

/** The service broke a guarantee. */
export class BrokenGuarantee extends Error {}

const MAX_CONTENT_BYTES = 300_000;
const MAX_FACTORS = 4;
/** `VERSIONS_KEEP_LAST`. */
const KEPT_VERSIONS = 2;
const NOTHING: Expected = { stored: null, kept: null };
/** How many of the newest events are compared. */
const COMPARED_EVENTS = 8;

export class Customer {
  readonly #random: () => number;
  readonly #conditions: CampaignConditions;
  readonly #maxRepeats: number;
  readonly #person: Person;
  readonly #app: AppName;
  #mainsUsed = 0;
  #devicesUsed = 0;
  #expected: Expected = NOTHING;
  /** Of all changes, also before a reset. */
  readonly #events: EventKind[] = [];
  #recoveriesSent = 0;
  #recoveriesAnswered = 0;
  /** A request whose response did not arrive. */
  #unanswered: Change | null = null;
  #acknowledged = 0;
  #unansweredCount = 0;

  constructor({ random, conditions, person, app, maxRepeats = 0 }: CustomerOptions) {
    this.#person = person;
    this.#app = app;
    this.#random = random;
    this.#conditions = conditions;
    this.#maxRepeats = maxRepeats;
  }

  /** How many changes were acknowledged, and how many requests were left without a response. */
  get record(): { readonly acknowledged: number; readonly unanswered: number } {
    return { acknowledged: this.#acknowledged, unanswered: this.#unansweredCount };
  }

  get events(): ExpectedEvents {
    const recoveries = { answered: this.#recoveriesAnswered, sent: this.#recoveriesSent };
    return {
      app: this.#app,
      backupId: this.#person.account.backupAccountId,
      kinds: this.#events,
      recoveries,
    };
  }

  /**
   * Resolves an unanswered request, compares the stored with the expected state, and makes the next change. Rejects with
   * the error of `fetch` when the service ends.
   *
   * @throws BrokenGuarantee
   */
  async step(url: string): Promise<void> {
    const client = this.#newClient(url);
    await this.#check(client);
    const change = await this.#nextChange(client);
    this.#unanswered = change;
    this.#unansweredCount++;
    const answer = await change.send(client);
    this.#unansweredCount--;
    if (answer.status < 300) return this.#acknowledge(change);
    if (this.#maxRepeats === 0 || !isInTheWay(answer))
      throw new BrokenGuarantee(`${change.name} was answered ${answer.code()}`);
    await this.#resolve(client, change);
  }

  /** Compares what is stored with what was acknowledged. @throws BrokenGuarantee */
  async check(url: string): Promise<void> {
    await this.#check(this.#newClient(url));
  }

  #newClient(url: string): ApiClient {
    // a new connection for each request: a kept one might belong to a dead process whose port was reused
    return this.#conditions.newClient(url, { app: this.#app, headers: { connection: "close" } });
  }

  async #check(client: ApiClient): Promise<void> {
    if (this.#unanswered !== null) await this.#resolve(client, this.#unanswered);
    const { stored } = this.#expected;
    const found = await this.#found(client, stored);
    if (found !== described(stored)) throw new BrokenGuarantee(`found ${found}, not ${described(stored)}`);
  }

  #acknowledge(change: Change): void {
    this.#take(change);
    this.#acknowledged++;
  }

  #take({ after, leaves }: Change): void {
    this.#expected = after;
    this.#unanswered = null;
    this.#events.push(...leaves);
  }

  /**
   * Half of the time retries the request; otherwise the backup must be as before the request or as after it. Whether a
   * deleted backup is kept does not show, so a reset of it is always retried. So is every request where another process
   * may go on with it: until its nonce is consumed it may still take effect.
   */
  async #resolve(client: ApiClient, change: Change): Promise<void> {
    const [before, after] = [described(this.#expected.stored), described(change.after.stored)];
    if (before === after || this.#maxRepeats > 0 || this.#random() % 2 === 0) {
      const answer = await this.#repeated(() => change.send(client));
      if (answer.status >= 300 && answer.code() !== "already_used")
        throw new BrokenGuarantee(`${change.name}, repeated, was answered ${answer.code()}`);
      return this.#acknowledge(change);
    }
    const found = await this.#found(client, change.after.stored ?? this.#expected.stored);
    if (found !== before && found !== after)
      throw new BrokenGuarantee(`${change.name} left ${found}, neither ${before} nor ${after}`);
    if (found === after) this.#take(change);
    else this.#unanswered = null;
  }

  /** The backup as the service shows it to the first main factor. */
  async #found(client: ApiClient, expected: ExpectedState | null): Promise<string> {
    const { backupAccountId: backupId } = this.#person.account;
    const status = await this.#repeated(() => client.backupStatus({ backupId }));
    if (status.status === 404) return described(null);
    if (expected === null) return "a backup that should be gone";
    const { backup, metadata } = await this.#recovered(client, expected, null);
    const content = Buffer.from(backup, "base64");
    if (manifestHashOf(content) !== metadata.manifestHash)
      return "a content with the manifest hash of another";
    const { versions } = metadata;
    const chosen = versions[this.#random() % (2 * versions.length)];
    if (chosen !== undefined) {
      const version = await this.#recovered(client, expected, chosen.versionId);
      if (manifestHashOf(Buffer.from(version.backup, "base64")) !== chosen.manifestHash)
        return "a version with the manifest hash of another content";
    }
    const keys = (factors: typeof metadata.factors) => factors.map((factor) => String(shownIn(factor)));
    return describedAs({
      content,
      earlier: versions.slice(0, KEPT_VERSIONS).map(({ manifestHash }) => manifestHash),
      mains: keys(metadata.factors),
      syncs: keys(metadata.syncFactors),
      log: metadata.syncFactors.length === 0 ? [] : await this.#log(client, expected),
    });
  }

  async #recovered(client: ApiClient, { mains }: ExpectedState, versionId: string | null) {
    const response = await this.#repeated(async () => {
      const request = { ...(await proven(client, "retrieve", mains[0])), versionId };
      this.#recoveriesSent++;
      return client.retrieve(request);
    });
    const recovered = response.ok();
    this.#recoveriesAnswered++;
    return recovered;
  }

  async #metadata(client: ApiClient, sync: FactorKeypair) {
    const response = await this.#repeated(async () =>
      client.retrieveMetadata(await solved(client, "retrieve-metadata", sync)),
    );
    return response.ok();
  }

  /** Sends until nothing is in the way any more, or as often as it may. */
  async #repeated<T>(send: () => Promise<ApiResponse<T>>): Promise<ApiResponse<T>> {
    let answer = await send();
    for (let left = this.#maxRepeats; left > 0 && isInTheWay(answer); left--) answer = await send();
    return answer;
  }

  /** The newest events, the oldest of them first, but for recoveries. */
  async #log(client: ApiClient, { syncs }: ExpectedState): Promise<readonly string[]> {
    const [sync] = syncs;
    if (sync === undefined) return ["no device can read the log"];
    const response = await this.#repeated(async () =>
      client.listEvents({ ...(await solved(client, "events", sync)), limit: 100 }),
    );
    return response
      .ok()
      .events.map(({ kind }) => kind)
      .filter((kind) => kind !== "RECOVERED")
      .toReversed();
  }

  async #nextChange(client: ApiClient): Promise<Change> {
    const { stored, kept } = this.#expected;
    if (stored !== null) return this.#changeOf(client, stored);
    if (kept === null) return this.#creation(client);
    switch (this.#random() % 4) {
      case 0:
        return this.#creation(client);
      case 1:
        return this.#reset(client);
      default:
        return this.#undeletion(client, kept);
    }
  }

  async #changeOf(client: ApiClient, stored: ExpectedState): Promise<Change> {
    const { mains, syncs } = stored;
    const [sync] = syncs;
    if (sync === undefined) return this.#additionOfDevice(client, stored); // they went with an undelete
    switch (this.#random() % 16) {
      case 0:
        return this.#reset(client);
      case 1:
      case 2: {
        const by = syncs.at(-1) ?? sync;
        const request = await solved(client, "delete-backup", by);
        const after = { stored: null, kept: afterDeletion(stored, by, "DELETED") };
        return { name: "delete-backup", after, leaves: ["DELETED"], send: (to) => to.deleteBackup(request) };
      }
      case 3:
      case 4:
        if (syncs.length >= MAX_FACTORS) return this.#deletion(client, stored, "SYNC");
        return this.#additionOfDevice(client, stored);
      case 5:
      case 6: {
        if (mains.length >= MAX_FACTORS) return this.#deletion(client, stored, "MAIN");
        const added = this.#newMain();
        const request = await additionIn({ client, clock: systemClock }, mains[0], added);
        return {
          name: "add-factor",
          ...changed(stored, { mains: [...mains, added] }, "MAIN_FACTOR_ADDED"),
          send: (to) => to.addFactor(request),
        };
      }
      case 7:
        return this.#deletion(client, stored, "MAIN");
      case 8:
      case 9:
        if (stored.earlier.length > 0) return this.#restoration(client, stored, sync);
        return this.#update(client, stored, sync);
      case 10:
        if (syncs.length > 1) return this.#replacement(client, stored, syncs);
        return this.#update(client, stored, sync);
      case 11: {
        const request = await proven(client, "verify-factor", mains[0]);
        return { name: "verify-factor", ...changed(stored, {}), send: (to) => to.verifyFactor(request) };
      }
      default:
        return this.#update(client, stored, sync);
    }
  }

  async #creation(client: ApiClient): Promise<Change> {
    const [main, sync, content] = [this.#newMain(), this.#newDevice(), this.#newContent()];
    const user = {
      account: this.#person.account,
      main,
      sync,
      backup: content,
      manifestHash: manifestHashOf(content),
    };
    const payload = await createPayloadOf(client, user);
    const stored: ExpectedState = { content, earlier: [], mains: [main], syncs: [sync], log: ["CREATED"] };
    return {
      name: "create",
      after: { stored, kept: null }, // with other factors than what is kept
      leaves: ["CREATED"],
      send: (to) => to.create(payload, content),
    };
  }

  async #reset(client: ApiClient): Promise<Change> {
    const request = await resetRequest(client, { account: this.#person.account });
    return { name: "reset", after: NOTHING, leaves: ["RESET"], send: (to) => to.reset(request) };
  }

  async #undeletion(client: ApiClient, kept: ExpectedState): Promise<Change> {
    const request = await undeletionRequest(client, { account: this.#person.account, main: kept.mains[0] });
    return { name: "undelete", ...changed(kept, {}, "UNDELETED"), send: (to) => to.undelete(request) };
  }

  async #update(client: ApiClient, stored: ExpectedState, sync: FactorKeypair): Promise<Change> {
    const content = this.#newContent();
    const manifestHash = manifestHashOf(stored.content);
    const payload = await syncPayload(client, { sync, manifestHash }, manifestHashOf(content));
    const earlier = [stored.content, ...stored.earlier].slice(0, KEPT_VERSIONS);
    return {
      name: "sync",
      ...changed(stored, { content, earlier }),
      send: (to) => to.sync(payload, content),
    };
  }

  async #restoration(client: ApiClient, stored: ExpectedState, sync: FactorKeypair): Promise<Change> {
    const nth = this.#random() % stored.earlier.length;
    const { versions } = await this.#metadata(client, sync);
    const content = stored.earlier[nth];
    const versionId = versions[nth]?.versionId ?? "";
    if (content === undefined) throw new Error("there is no such version");
    const request = {
      ...(await solved(client, "restore-version", sync, { versionId })),
      versionId,
      currentManifestHash: manifestHashOf(stored.content),
    };
    const earlier = [stored.content, ...stored.earlier.filter((other) => other !== content)];
    return {
      name: "restore-version",
      ...changed(stored, { content, earlier }, "VERSION_RESTORED"),
      send: (to) => to.restoreVersion(request),
    };
  }

  async #additionOfDevice(client: ApiClient, stored: ExpectedState): Promise<Change> {
    const device = this.#newDevice();
    const { syncFactorToken } = await this.#recovered(client, stored, null);
    const request = await addSyncFactorRequest(client, device, syncFactorToken);
    return {
      name: "add-sync-factor",
      ...changed(stored, { syncs: [...stored.syncs, device] }, "SYNC_FACTOR_ADDED"),
      send: (to) => to.addSyncFactor(request),
    };
  }

  /** Puts a new device in the place of the last one. */
  async #replacement(
    client: ApiClient,
    stored: ExpectedState,
    syncs: readonly FactorKeypair[],
  ): Promise<Change> {
    const device = this.#newDevice();
    const { metadata, syncFactorToken } = await this.#recovered(client, stored, null);
    const syncFactorToReplace = metadata.syncFactors.at(-1)?.id ?? "";
    const request = {
      ...(await addSyncFactorRequest(client, device, syncFactorToken)),
      syncFactorToReplace,
    };
    return {
      name: "add-sync-factor, in the place of another",
      ...changed(stored, { syncs: [...syncs.slice(0, -1), device] }, "SYNC_FACTOR_REPLACED"),
      send: (to) => to.addSyncFactor(request),
    };
  }

  /** Removes the last factor of a scope. With the last main factor the backup is deleted. */
  async #deletion(client: ApiClient, stored: ExpectedState, scope: "MAIN" | "SYNC"): Promise<Change> {
    const { mains, syncs } = stored;
    const [by] = syncs;
    if (by === undefined) throw new Error("no device can remove a factor");
    const metadata = await this.#metadata(client, by);
    const factorId = (scope === "MAIN" ? metadata.factors : metadata.syncFactors).at(-1)?.id ?? "";
    const request = { ...(await solved(client, "delete-factor", by, { factorId })), factorId, scope };
    const send: Change["send"] = (to) => to.deleteFactor(request);
    const name = `delete-factor ${scope}`;
    if (scope === "SYNC")
      return { name, ...changed(stored, { syncs: syncs.slice(0, -1) }, "SYNC_FACTOR_REMOVED"), send };
    const [first, ...others] = mains;
    if (others.length > 0)
      return {
        name,
        ...changed(stored, { mains: [first, ...others.slice(0, -1)] }, "MAIN_FACTOR_REMOVED"),
        send,
      };
    const leaves = ["MAIN_FACTOR_REMOVED", "DELETED"] as const;
    return { name, after: { stored: null, kept: afterDeletion(stored, by, ...leaves) }, leaves, send };
  }

  #newMain(): MainFactor {
    return this.#person.main(this.#mainsUsed++);
  }

  #newDevice(): FactorKeypair {
    return this.#person.device(this.#devicesUsed++);
  }

  #newContent(): Uint8Array {
    return randomBytes(1 + (this.#random() % MAX_CONTENT_BYTES));
  }
}

export interface CustomersOptions extends Pick<CustomerOptions, "conditions" | "maxRepeats"> {
  readonly count: number;
  readonly seed: number;
}

/** Customers of two apps: every two of them are one person, at one app and at the other. */
export function customersOfTwoApps({ count, seed, ...options }: CustomersOptions): readonly Customer[] {
  const people = Array.from(
    { length: Math.ceil(count / 2) },
    (_, index) => new Person(pseudoRandom(seed - 1 - index), options.conditions),
  );
  return people
    .flatMap((person) => TWO_APPS.map(({ name: app }) => ({ person, app })))
    .slice(0, count)
    .map((who, index) => new Customer({ ...options, ...who, random: pseudoRandom(seed + 1 + index) }));
}

/** Whether a store is out of reach, or another request changes the same backup. */
function isInTheWay(answer: ApiResponse<unknown>): boolean {
  return answer.status === 503 || answer.status === 423;
}

/** A backup that has changed, and the events of the change. */
function changed(
  { log, ...stored }: ExpectedState,
  change: Partial<ExpectedState>,
  ...leaves: readonly EventKind[]
): Pick<Change, "after" | "leaves"> {
  return { after: { stored: { ...stored, ...change, log: [...log, ...leaves] }, kept: null }, leaves };
}

/** A deleted backup as it comes back: without the sync factor that deleted it. */
function afterDeletion(
  { log, syncs, ...stored }: ExpectedState,
  by: FactorKeypair,
  ...leaves: readonly EventKind[]
): ExpectedState {
  return { ...stored, syncs: syncs.filter((sync) => sync !== by), log: [...log, ...leaves] };
}

function described(expected: ExpectedState | null): string {
  if (expected === null) return "no backup";
  const keys = (keypairs: readonly FactorKeypair[]) => keypairs.map(({ publicKey }) => publicKey);
  const { content, earlier, mains, syncs, log } = expected;
  return describedAs({
    content,
    earlier: earlier.map(manifestHashOf),
    mains: mains.map(({ shown }) => shown),
    syncs: keys(syncs),
    log: syncs.length === 0 ? [] : log,
  });
}

function describedAs({
  content,
  earlier,
  mains,
  syncs,
  log,
}: Readonly<Record<"earlier" | "mains" | "syncs" | "log", readonly string[]>> & {
  readonly content: Uint8Array;
}): string {
  const short = (keys: readonly string[]) => keys.map((key) => key.slice(0, 24)).join(" ");
  const hashes = [manifestHashOf(content), ...earlier].map((hash) => hash.slice(0, 12));
  const events = log.slice(-COMPARED_EVENTS).join(" ");
  return `${content.length} bytes ${hashes.join(" before that ")}, main ${short(mains)}, sync ${short(syncs)}, ${events}`;
}
