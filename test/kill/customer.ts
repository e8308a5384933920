/** A client with a backup, which records what the service acknowledged and compares it with what is stored. */
import type { EventKind } from "../../src/protocol/event.ts";
import type { ApiClient } from "../support/api-client.ts";
import { type AppName, TWO_APPS } from "../support/apps.ts";
import type { CampaignConditions } from "../support/campaign-conditions.ts";
import { shownIn } from "../support/factors.ts";
import { manifestHashOf } from "../support/invariants.ts";
import { pseudoRandom } from "../support/pseudo-random.ts";
import { type Change, Changes } from "./changes.ts";
import {
  described,
  describedAs,
  type Expected,
  type ExpectedState,
  KEPT_VERSIONS,
  NOTHING,
} from "./expected-backup.ts";
import { isInTheWay, PatientCalls } from "./patient-calls.ts";
import { Person } from "./person.ts";

/** What a webhook must have received of an account at an app. */
export interface ExpectedEvents {
  readonly app: AppName;
  readonly backupId: string;
  /** In their order, but for recoveries. */
  readonly kinds: readonly EventKind[];
  readonly recoveries: PatientCalls["recoveries"];
}

interface CustomerOptions {
  readonly random: () => number;
  readonly conditions: CampaignConditions;
  readonly person: Person;
  readonly app: AppName;
  /** How often a request is repeated at most, while a store or another request is in its way. */
  readonly maxRepeats?: number;
  /** Whether other processes of the service run, which may go on with a request whose process was killed. */
  readonly besideOthers?: boolean;
}

/** The service broke a guarantee. */
export class BrokenGuarantee extends Error {}

export class Customer {
  readonly #random: () => number;
  readonly #conditions: CampaignConditions;
  readonly #person: Person;
  readonly #app: AppName;
  readonly #calls: PatientCalls;
  readonly #besideOthers: boolean;
  readonly #changes: Changes;
  #expected: Expected = NOTHING;
  /** Of all changes, also before a reset. */
  readonly #events: EventKind[] = [];
  /** A request whose response did not arrive. */
  #unresolved: Change | null = null;
  #acknowledged = 0;
  #withoutResponse = 0;

  constructor({ random, conditions, person, app, maxRepeats = 0, besideOthers = false }: CustomerOptions) {
    this.#person = person;
    this.#app = app;
    this.#random = random;
    this.#conditions = conditions;
    this.#calls = new PatientCalls(maxRepeats);
    this.#besideOthers = besideOthers;
    this.#changes = new Changes(random, person, this.#calls);
  }

  /** How many changes were acknowledged, and how many requests were left without a response. */
  get record(): { readonly acknowledged: number; readonly withoutResponse: number } {
    return { acknowledged: this.#acknowledged, withoutResponse: this.#withoutResponse };
  }

  get events(): ExpectedEvents {
    return {
      app: this.#app,
      backupId: this.#person.account.backupAccountId,
      kinds: this.#events,
      recoveries: this.#calls.recoveries,
    };
  }

  /**
   * Resolves a request without a response, compares the stored with the expected state, and makes the next change. Rejects
   * with the error of `fetch` when the service ends.
   *
   * @throws BrokenGuarantee
   */
  async step(url: string): Promise<void> {
    const client = this.#newClient(url);
    await this.#check(client);
    const change = await this.#changes.next(client, this.#expected);
    this.#unresolved = change;
    this.#withoutResponse++;
    const response = await change.send(client);
    this.#withoutResponse--;
    if (response.status < 300) return this.#acknowledge(change);
    if (this.#calls.maxRepeats === 0 || !isInTheWay(response))
      throw new BrokenGuarantee(`${change.name} got ${response.code()}`);
    await this.#resolve(client, change, true);
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
    if (this.#unresolved !== null) await this.#resolve(client, this.#unresolved, this.#besideOthers);
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
    this.#unresolved = null;
    this.#events.push(...leaves);
  }

  /**
   * Half of the time retries the request; otherwise the backup must be as before the request or as after it. Whether a
   * deleted backup is kept does not show, so a reset of it is always retried. So is every request that may still take
   * effect, until its nonce is consumed.
   */
  async #resolve(client: ApiClient, change: Change, mayTakeEffect: boolean): Promise<void> {
    const [before, after] = [described(this.#expected.stored), described(change.after.stored)];
    if (before === after || mayTakeEffect || this.#random() % 2 === 0) {
      const response = await this.#calls.repeated(() => change.send(client));
      if (response.status >= 300 && response.code() !== "already_used")
        throw new BrokenGuarantee(`${change.name}, repeated, got ${response.code()}`);
      return this.#acknowledge(change);
    }
    const found = await this.#found(client, change.after.stored ?? this.#expected.stored);
    if (found !== before && found !== after)
      throw new BrokenGuarantee(`${change.name} left ${found}, neither ${before} nor ${after}`);
    if (found === after) this.#take(change);
    else this.#unresolved = null;
  }

  /** The backup as the service shows it to the first main factor. */
  async #found(client: ApiClient, expected: ExpectedState | null): Promise<string> {
    const { backupAccountId: backupId } = this.#person.account;
    const status = await this.#calls.repeated(() => client.backupStatus({ backupId }));
    if (status.status === 404) return described(null);
    if (expected === null) return "a backup that should be gone";
    const [main] = expected.mains;
    const [sync] = expected.syncs;
    const { backup, metadata } = await this.#calls.recovered(client, main);
    const content = Buffer.from(backup, "base64");
    if (manifestHashOf(content) !== metadata.manifestHash)
      return "a content with the manifest hash of another";
    const { versions } = metadata;
    const chosen = versions[this.#random() % (2 * versions.length)];
    if (chosen !== undefined) {
      const version = await this.#calls.recovered(client, main, chosen.versionId);
      if (manifestHashOf(Buffer.from(version.backup, "base64")) !== chosen.manifestHash)
        return "a version with the manifest hash of another content";
    }
    const keys = (factors: typeof metadata.factors) => factors.map((factor) => String(shownIn(factor)));
    return describedAs({
      content,
      earlier: versions.slice(0, KEPT_VERSIONS).map(({ manifestHash }) => manifestHash),
      mains: keys(metadata.factors),
      syncs: keys(metadata.syncFactors),
      log: sync === undefined || metadata.syncFactors.length === 0 ? [] : await this.#calls.log(client, sync),
    });
  }
}

export interface CustomersOptions
  extends Pick<CustomerOptions, "conditions" | "maxRepeats" | "besideOthers"> {
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
