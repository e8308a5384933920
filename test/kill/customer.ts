/** Somebody with a backup who writes down what the service acknowledged, and compares. */
import { createAccountKeypair } from "../../src/client/account-keypair.ts";
import { addFactorRequest } from "../crash/scenario.ts";
import { type Answer, type ApiClient, createApiClient } from "../support/api-client.ts";
import { createFactorKeypair, type FactorKeypair } from "../support/factor-keypair.ts";
import { manifestHashOf } from "../support/invariants.ts";
import {
  addSyncFactorRequest,
  createPayload,
  randomBytes,
  resetRequest,
  solved,
  syncPayload,
} from "../support/users.ts";

/** What the customer believes to be stored. The first main and the first sync factor stay as long as the backup does. */
interface Belief {
  readonly content: Uint8Array;
  readonly mains: readonly [FactorKeypair, ...FactorKeypair[]];
  readonly syncs: readonly [FactorKeypair, ...FactorKeypair[]];
}

/** A change that was made ready: the request, which can be repeated, and what is so once it is acknowledged. */
interface Intent {
  readonly name: string;
  readonly after: Belief | null;
  send(client: ApiClient): Promise<Answer<unknown>>;
}

/** Thrown for what must never happen. */
export class BrokenPromise extends Error {}

const MAX_CONTENT_BYTES = 300_000;
const MAX_FACTORS = 4;

export class Customer {
  readonly #random: () => number;
  readonly #account = createAccountKeypair();
  #belief: Belief | null = null;
  /** A request whose answer did not arrive. */
  #unanswered: Intent | null = null;
  #acknowledged = 0;
  #doubts = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** How many changes were acknowledged, and how many requests were left without an answer. */
  get record(): { readonly acknowledged: number; readonly doubts: number } {
    return { acknowledged: this.#acknowledged, doubts: this.#doubts };
  }

  /**
   * Does the next thing: clears up what became of an unanswered request, looks whether all is as acknowledged, or
   * changes something. Rejects with what `fetch` rejects with when the service goes away.
   *
   * @throws BrokenPromise
   */
  async step(url: string): Promise<void> {
    const client = customerClient(url);
    if (this.#unanswered !== null) await this.#clearUp(client, this.#unanswered);
    await this.check(client);
    const intent = await this.#intend(client);
    this.#unanswered = intent;
    this.#doubts++;
    const answer = await intent.send(client);
    this.#doubts--;
    if (answer.status >= 300) throw new BrokenPromise(`${intent.name} was answered ${answer.code()}`);
    this.#acknowledge(intent);
  }

  /** Compares what is stored with what was acknowledged. @throws BrokenPromise */
  async check(client: ApiClient): Promise<void> {
    if (this.#unanswered !== null) await this.#clearUp(client, this.#unanswered);
    const found = await this.#found(client, this.#belief);
    if (found !== spelling(this.#belief))
      throw new BrokenPromise(`found ${found}, not ${spelling(this.#belief)}`);
  }

  #acknowledge({ after }: Intent): void {
    this.#belief = after;
    this.#unanswered = null;
    this.#acknowledged++;
  }

  /** Half of the time the same request is sent again; in any case the backup is as before the request or as after it. */
  async #clearUp(client: ApiClient, intent: Intent): Promise<void> {
    if (this.#random() % 2 === 0) {
      const answer = await intent.send(client);
      if (answer.status >= 300 && answer.code() !== "already_used")
        throw new BrokenPromise(`${intent.name}, repeated, was answered ${answer.code()}`);
      return this.#acknowledge(intent);
    }
    const found = await this.#found(client, intent.after ?? this.#belief);
    const [before, after] = [spelling(this.#belief), spelling(intent.after)];
    if (found !== before && found !== after)
      throw new BrokenPromise(`${intent.name} left ${found}, neither ${before} nor ${after}`);
    if (found === after) this.#belief = intent.after;
    this.#unanswered = null;
  }

  /** The backup as the service shows it to the first main factor. */
  async #found(client: ApiClient, belief: Belief | null): Promise<string> {
    const status = await client.backupStatus({ backupId: this.#account.backupAccountId });
    if (status.status === 404) return spelling(null);
    if (belief === null) return "a backup that should be gone";
    const { backup, metadata } = (
      await client.retrieve(await solved(client, "retrieve", belief.mains[0]))
    ).ok();
    const content = Buffer.from(backup, "base64");
    if (manifestHashOf(content) !== metadata.manifestHash)
      return "a content with the manifest hash of another";
    const keys = (factors: typeof metadata.factors) =>
      factors.map(({ kind }) => (kind.kind === "EC_KEYPAIR" ? kind.publicKey : kind.kind));
    return spelt(content, keys(metadata.factors), keys(metadata.syncFactors));
  }

  async #intend(client: ApiClient): Promise<Intent> {
    const belief = this.#belief;
    if (belief === null) return this.#creation(client);
    const { mains, syncs } = belief;
    const [main] = mains;
    const [sync] = syncs;
    const user = {
      account: this.#account,
      main,
      sync,
      backup: belief.content,
      manifestHash: manifestHashOf(belief.content),
    };
    switch (this.#random() % 10) {
      case 0: {
        const request = await resetRequest(client, user);
        return { name: "reset", after: null, send: (to) => to.reset(request) };
      }
      case 1: {
        const request = await solved(client, "delete-backup", sync);
        return { name: "delete-backup", after: null, send: (to) => to.deleteBackup(request) };
      }
      case 2:
      case 3: {
        if (syncs.length >= MAX_FACTORS) return this.#deletion(client, belief, "SYNC");
        const device = createFactorKeypair();
        const { syncFactorToken } = (await client.retrieve(await solved(client, "retrieve", main))).ok();
        const request = await addSyncFactorRequest(client, device, syncFactorToken);
        const after = { ...belief, syncs: [...syncs, device] as const };
        return { name: "add-sync-factor", after, send: (to) => to.addSyncFactor(request) };
      }
      case 4:
      case 5: {
        if (mains.length >= MAX_FACTORS) return this.#deletion(client, belief, "MAIN");
        const added = createFactorKeypair();
        const request = await addFactorRequest(client, main, added);
        const after = { ...belief, mains: [...mains, added] as const };
        return {
          name: "add-factor",
          after,
          send: (to) => to.addFactor(request),
        };
      }
      default: {
        const content = this.#newContent();
        const payload = await syncPayload(client, user, manifestHashOf(content));
        return { name: "sync", after: { ...belief, content }, send: (to) => to.sync(payload, content) };
      }
    }
  }

  async #creation(client: ApiClient): Promise<Intent> {
    const [main, sync, content] = [createFactorKeypair(), createFactorKeypair(), this.#newContent()];
    const user = {
      account: this.#account,
      main,
      sync,
      backup: content,
      manifestHash: manifestHashOf(content),
    };
    const payload = await createPayload(client, user);
    const after = { content, mains: [main], syncs: [sync] } as const;
    return { name: "create", after, send: (to) => to.create(payload, content) };
  }

  /** Removes the last factor of a scope. */
  async #deletion(client: ApiClient, belief: Belief, scope: "MAIN" | "SYNC"): Promise<Intent> {
    const { mains, syncs } = belief;
    const proof = await solved(client, "retrieve-metadata", syncs[0]);
    const metadata = (await client.retrieveMetadata(proof)).ok();
    const factorId = (scope === "MAIN" ? metadata.factors : metadata.syncFactors).at(-1)?.id ?? "";
    const request = { ...(await solved(client, "delete-factor", syncs[0], { factorId })), factorId, scope };
    const after =
      scope === "MAIN"
        ? { ...belief, mains: [mains[0], ...mains.slice(1, -1)] as const }
        : { ...belief, syncs: [syncs[0], ...syncs.slice(1, -1)] as const };
    return { name: `delete-factor ${scope}`, after, send: (to) => to.deleteFactor(request) };
  }

  #newContent(): Uint8Array {
    return randomBytes(1 + (this.#random() % MAX_CONTENT_BYTES));
  }
}

/** Each request on a connection of its own: one that is kept might be to a dead process whose port another one has. */
export function customerClient(url: string): ApiClient {
  return createApiClient({ url, headers: { connection: "close" } });
}

function spelling(belief: Belief | null): string {
  if (belief === null) return "no backup";
  const keys = (keypairs: readonly FactorKeypair[]) => keypairs.map(({ publicKey }) => publicKey);
  return spelt(belief.content, keys(belief.mains), keys(belief.syncs));
}

function spelt(content: Uint8Array, mains: readonly string[], syncs: readonly string[]): string {
  const short = (keys: readonly string[]) => keys.map((key) => key.slice(4, 12)).join(" ");
  return `${content.length} bytes ${manifestHashOf(content).slice(0, 12)}, main ${short(mains)}, sync ${short(syncs)}`;
}
