/** A client with a backup, which records what the service acknowledged and compares it with what is stored. */
import { createAccountKeypair } from "../../src/client/account-keypair.ts";
import { addFactorRequest } from "../crash/scenario.ts";
import { type ApiClient, type ApiResponse, createApiClient } from "../support/api-client.ts";
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

/** The expected state of a backup. The first main and the first sync factor are never removed. */
interface ExpectedState {
  readonly content: Uint8Array;
  readonly mains: readonly [FactorKeypair, ...FactorKeypair[]];
  readonly syncs: readonly [FactorKeypair, ...FactorKeypair[]];
}

/** A prepared change: the request, which can be retried, and the expected state once it is acknowledged. */
interface Change {
  readonly name: string;
  readonly after: ExpectedState | null;
  send(client: ApiClient): Promise<ApiResponse<unknown>>;
}

/** The service broke a guarantee. */
export class BrokenGuarantee extends Error {}

const MAX_CONTENT_BYTES = 300_000;
const MAX_FACTORS = 4;

export class Customer {
  readonly #random: () => number;
  readonly #account = createAccountKeypair();
  #expected: ExpectedState | null = null;
  /** A request whose response did not arrive. */
  #unanswered: Change | null = null;
  #acknowledged = 0;
  #unansweredCount = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** How many changes were acknowledged, and how many requests were left without a response. */
  get record(): { readonly acknowledged: number; readonly unanswered: number } {
    return { acknowledged: this.#acknowledged, unanswered: this.#unansweredCount };
  }

  /**
   * Resolves an unanswered request, compares the stored with the expected state, and makes the next change. Rejects with
   * the error of `fetch` when the service ends.
   *
   * @throws BrokenGuarantee
   */
  async step(url: string): Promise<void> {
    const client = customerClient(url);
    if (this.#unanswered !== null) await this.#resolve(client, this.#unanswered);
    await this.check(client);
    const change = await this.#nextChange(client);
    this.#unanswered = change;
    this.#unansweredCount++;
    const answer = await change.send(client);
    this.#unansweredCount--;
    if (answer.status >= 300) throw new BrokenGuarantee(`${change.name} was answered ${answer.code()}`);
    this.#acknowledge(change);
  }

  /** Compares what is stored with what was acknowledged. @throws BrokenGuarantee */
  async check(client: ApiClient): Promise<void> {
    if (this.#unanswered !== null) await this.#resolve(client, this.#unanswered);
    const found = await this.#found(client, this.#expected);
    if (found !== described(this.#expected))
      throw new BrokenGuarantee(`found ${found}, not ${described(this.#expected)}`);
  }

  #acknowledge({ after }: Change): void {
    this.#expected = after;
    this.#unanswered = null;
    this.#acknowledged++;
  }

  /** Half of the time retries the request; otherwise the backup must be as before the request or as after it. */
  async #resolve(client: ApiClient, change: Change): Promise<void> {
    if (this.#random() % 2 === 0) {
      const answer = await change.send(client);
      if (answer.status >= 300 && answer.code() !== "already_used")
        throw new BrokenGuarantee(`${change.name}, repeated, was answered ${answer.code()}`);
      return this.#acknowledge(change);
    }
    const found = await this.#found(client, change.after ?? this.#expected);
    const [before, after] = [described(this.#expected), described(change.after)];
    if (found !== before && found !== after)
      throw new BrokenGuarantee(`${change.name} left ${found}, neither ${before} nor ${after}`);
    if (found === after) this.#expected = change.after;
    this.#unanswered = null;
  }

  /** The backup as the service shows it to the first main factor. */
  async #found(client: ApiClient, expected: ExpectedState | null): Promise<string> {
    const status = await client.backupStatus({ backupId: this.#account.backupAccountId });
    if (status.status === 404) return described(null);
    if (expected === null) return "a backup that should be gone";
    const { backup, metadata } = (
      await client.retrieve(await solved(client, "retrieve", expected.mains[0]))
    ).ok();
    const content = Buffer.from(backup, "base64");
    if (manifestHashOf(content) !== metadata.manifestHash)
      return "a content with the manifest hash of another";
    const keys = (factors: typeof metadata.factors) =>
      factors.map(({ kind }) => (kind.kind === "EC_KEYPAIR" ? kind.publicKey : kind.kind));
    return describedAs(content, keys(metadata.factors), keys(metadata.syncFactors));
  }

  async #nextChange(client: ApiClient): Promise<Change> {
    const expected = this.#expected;
    if (expected === null) return this.#creation(client);
    const { mains, syncs } = expected;
    const [main] = mains;
    const [sync] = syncs;
    const user = {
      account: this.#account,
      main,
      sync,
      backup: expected.content,
      manifestHash: manifestHashOf(expected.content),
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
        if (syncs.length >= MAX_FACTORS) return this.#deletion(client, expected, "SYNC");
        const device = createFactorKeypair();
        const { syncFactorToken } = (await client.retrieve(await solved(client, "retrieve", main))).ok();
        const request = await addSyncFactorRequest(client, device, syncFactorToken);
        const after = { ...expected, syncs: [...syncs, device] as const };
        return { name: "add-sync-factor", after, send: (to) => to.addSyncFactor(request) };
      }
      case 4:
      case 5: {
        if (mains.length >= MAX_FACTORS) return this.#deletion(client, expected, "MAIN");
        const added = createFactorKeypair();
        const request = await addFactorRequest(client, main, added);
        const after = { ...expected, mains: [...mains, added] as const };
        return {
          name: "add-factor",
          after,
          send: (to) => to.addFactor(request),
        };
      }
      default: {
        const content = this.#newContent();
        const payload = await syncPayload(client, user, manifestHashOf(content));
        return { name: "sync", after: { ...expected, content }, send: (to) => to.sync(payload, content) };
      }
    }
  }

  async #creation(client: ApiClient): Promise<Change> {
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
  async #deletion(client: ApiClient, expected: ExpectedState, scope: "MAIN" | "SYNC"): Promise<Change> {
    const { mains, syncs } = expected;
    const proof = await solved(client, "retrieve-metadata", syncs[0]);
    const metadata = (await client.retrieveMetadata(proof)).ok();
    const factorId = (scope === "MAIN" ? metadata.factors : metadata.syncFactors).at(-1)?.id ?? "";
    const request = { ...(await solved(client, "delete-factor", syncs[0], { factorId })), factorId, scope };
    const after =
      scope === "MAIN"
        ? { ...expected, mains: [mains[0], ...mains.slice(1, -1)] as const }
        : { ...expected, syncs: [syncs[0], ...syncs.slice(1, -1)] as const };
    return { name: `delete-factor ${scope}`, after, send: (to) => to.deleteFactor(request) };
  }

  #newContent(): Uint8Array {
    return randomBytes(1 + (this.#random() % MAX_CONTENT_BYTES));
  }
}

/** Uses a new connection for each request: a kept one might belong to a dead process whose port was reused. */
export function customerClient(url: string): ApiClient {
  return createApiClient({ url, headers: { connection: "close" } });
}

function described(expected: ExpectedState | null): string {
  if (expected === null) return "no backup";
  const keys = (keypairs: readonly FactorKeypair[]) => keypairs.map(({ publicKey }) => publicKey);
  return describedAs(expected.content, keys(expected.mains), keys(expected.syncs));
}

function describedAs(content: Uint8Array, mains: readonly string[], syncs: readonly string[]): string {
  const short = (keys: readonly string[]) => keys.map((key) => key.slice(4, 12)).join(" ");
  return `${content.length} bytes ${manifestHashOf(content).slice(0, 12)}, main ${short(mains)}, sync ${short(syncs)}`;
}
