/** Requests of several clients to one backup, with when each was sent and what it got. */
import { addFactorRequest, undeleteRequest } from "../crash/scenario.ts";
import { createAccountKeypair } from "../support/account-keypair.ts";
import { type ApiClient, type ApiResponse, createApiClient } from "../support/api-client.ts";
import { isBrokenConnection } from "../support/broken-connection.ts";
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

/** As in checker/main.go: factors by their public key, contents by their manifest hash, a version by that and its id. */
export interface Request {
  readonly operation: string;
  readonly by?: string;
  readonly target?: string;
  readonly main?: string;
  readonly sync?: string;
  readonly current?: string;
  readonly next?: string;
  readonly version?: string;
  readonly token?: string;
}

interface Shown {
  readonly content: string;
  readonly versions: readonly string[];
  readonly mains: readonly string[];
  readonly syncs: readonly string[];
  readonly token: string;
}

export interface Entry {
  readonly client: number;
  /** In nanoseconds; a request without a response has no end. */
  readonly call: number;
  readonly return: number;
  readonly request: Request;
  readonly response: { readonly outcome: "ok" | "refused" | "overtaken" | "unknown" } & Partial<Shown>;
  /** The status of an error of the service that is no outage. */
  readonly internalError?: number;
}

interface Prepared {
  readonly request: Request;
  send(client: ApiClient): Promise<ApiResponse<unknown>>;
  /** What the response shows, where it shows the backup. */
  readonly shown?: () => Shown;
  /** The factors that are on the backup unless the request is refused. */
  readonly adds?: { readonly main?: FactorKeypair; readonly sync?: FactorKeypair };
}

type Recovered = ReturnType<Awaited<ReturnType<ApiClient["retrieve"]>>["ok"]>;

const NEVER = Number.MAX_SAFE_INTEGER;
/** After these there is no backup. */
const ENDS = ["delete-backup", "reset"];
/** Of how many of the newest one is chosen. */
const NEWEST = 4;

/** One backup, and what its clients know of it. They share what they know, and some of it is out of date. */
export class HistoryRecorder {
  readonly #random: () => number;
  readonly #account = createAccountKeypair();
  readonly #mains: FactorKeypair[] = [];
  readonly #syncs: FactorKeypair[] = [];
  readonly #tokens: { readonly by: string; readonly token: string }[] = [];
  readonly #factorIds = new Map<string, string>();
  readonly #versions = new Set<string>();
  readonly #entries: Entry[] = [];
  #current = "";
  #isStored = false;
  /** Whether something was deleted that an undelete may bring back. */
  #isKept = false;

  constructor(random: () => number) {
    this.#random = random;
  }

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** Sends `count` requests, one after the other. One that cannot be prepared, as its process was killed, is left out. */
  async run(client: number, count: number, url: () => Promise<string>): Promise<void> {
    for (let nth = 0; nth < count; nth++) {
      // a new connection for each request: a kept one might belong to a dead process whose port was reused
      const api = createApiClient({ url: await url(), headers: { connection: "close" } });
      const prepared = await this.#prepared(api).catch(nullIfKilled);
      if (prepared !== null) await this.#record(client, prepared, api);
    }
  }

  async #record(client: number, { request, send, shown, adds }: Prepared, api: ApiClient): Promise<void> {
    const call = nowNs();
    const received = await send(api).catch(nullIfKilled);
    const end = nowNs();
    if (received === null || received.status >= 500) {
      const unknown = { client, call, return: NEVER, request, response: { outcome: "unknown" } } as const;
      const isOutage = received === null || received.status === 503;
      this.#entries.push(isOutage ? unknown : { ...unknown, internalError: received.status });
    } else this.#entries.push({ client, call, return: end, request, response: responseOf(received, shown) });
    const isRefused = received !== null && received.status >= 300 && received.status < 500;
    if (isRefused) return;
    if (request.next !== undefined) this.#current = request.next;
    if (request.operation === "create") this.#versions.clear();
    this.#isStored = !ENDS.includes(request.operation);
    if (!this.#isStored) this.#isKept = request.operation === "delete-backup";
    if (adds?.main !== undefined) this.#mains.push(adds.main);
    if (adds?.sync !== undefined) this.#syncs.push(adds.sync);
  }

  async #prepared(client: ApiClient): Promise<Prepared> {
    const [main, sync] = [this.#oneOf(this.#mains), this.#oneOf(this.#syncs)];
    if (main === undefined || sync === undefined) return this.#creation(client);
    const nth = this.#random() % 16;
    // as far as the clients know, and not always, so that some requests must be refused
    const isStored = this.#random() % 12 === 0 ? !this.#isStored : this.#isStored;
    if (!isStored) {
      if (nth < 2) return this.#reset(client);
      return this.#isKept === nth < 12 ? this.#undeletion(client, main) : this.#creation(client);
    }
    switch (nth) {
      case 0:
        return this.#random() % 4 === 0 ? this.#reset(client) : this.#deletion(client, sync);
      case 1:
      case 2:
        return this.#additionOfDevice(client, main);
      case 3:
        return this.#addition(client, main);
      case 4:
        return this.#removal(client, sync, main);
      case 5:
      case 6:
      case 7:
        return this.#restoration(client, sync, main);
      case 8:
      case 9:
      case 10:
        return this.#update(client, sync);
      default:
        return this.#recovery(client, main);
    }
  }

  async #deletion(client: ApiClient, sync: FactorKeypair): Promise<Prepared> {
    const request = await solved(client, "delete-backup", sync);
    return {
      request: { operation: "delete-backup", by: sync.publicKey },
      send: (to) => to.deleteBackup(request),
    };
  }

  async #undeletion(client: ApiClient, main: FactorKeypair): Promise<Prepared> {
    const request = await undeleteRequest(client, { account: this.#account, main });
    return { request: { operation: "undelete", by: main.publicKey }, send: (to) => to.undelete(request) };
  }

  async #reset(client: ApiClient): Promise<Prepared> {
    const request = await resetRequest(client, { account: this.#account });
    return { request: { operation: "reset" }, send: (to) => to.reset(request) };
  }

  async #addition(client: ApiClient, main: FactorKeypair): Promise<Prepared> {
    const added = createFactorKeypair();
    const request = await addFactorRequest(client, main, added);
    return {
      adds: { main: added },
      request: { operation: "add-factor", by: main.publicKey, target: added.publicKey },
      send: (to) => to.addFactor(request),
    };
  }

  async #creation(client: ApiClient): Promise<Prepared> {
    const [main, sync, backup] = [createFactorKeypair(), createFactorKeypair(), randomBytes(60)];
    const manifestHash = manifestHashOf(backup);
    const payload = await createPayload(client, { account: this.#account, main, sync, backup, manifestHash });
    return {
      adds: { main, sync },
      request: { operation: "create", main: main.publicKey, sync: sync.publicKey, next: manifestHash },
      send: (to) => to.create(payload, backup),
    };
  }

  async #update(client: ApiClient, sync: FactorKeypair): Promise<Prepared> {
    const [backup, current] = [randomBytes(60), this.#current];
    const next = manifestHashOf(backup);
    const payload = await syncPayload(client, { sync, manifestHash: current }, next);
    return {
      request: { operation: "sync", by: sync.publicKey, current, next },
      send: (to) => to.sync(payload, backup),
    };
  }

  async #recovery(client: ApiClient, main: FactorKeypair): Promise<Prepared> {
    const request = await solved(client, "retrieve", main);
    let recovered: Recovered | undefined;
    return {
      request: { operation: "retrieve", by: main.publicKey },
      async send(to) {
        const received = await to.retrieve(request);
        if (received.status < 300) recovered = received.ok();
        return received;
      },
      ...{ shown: () => this.#shown(main, recovered) },
    };
  }

  async #additionOfDevice(client: ApiClient, main: FactorKeypair): Promise<Prepared> {
    const held = this.#oneOf(this.#tokens);
    if (held === undefined) return this.#recovery(client, main);
    const { by, token } = held;
    const added = createFactorKeypair();
    const request = await addSyncFactorRequest(client, added, token);
    return {
      adds: { sync: added },
      request: { operation: "add-sync-factor", by, target: added.publicKey, token },
      send: (to) => to.addSyncFactor(request),
    };
  }

  async #removal(client: ApiClient, by: FactorKeypair, main: FactorKeypair): Promise<Prepared> {
    const target = this.#oneOf(this.#syncs.filter((other) => other !== by));
    const factorId = this.#factorIds.get(target?.publicKey ?? "");
    if (target === undefined || factorId === undefined) return this.#recovery(client, main);
    const request = { ...(await solved(client, "delete-factor", by, { factorId })), factorId, scope: "SYNC" };
    return {
      request: { operation: "delete-factor", by: by.publicKey, target: target.publicKey },
      send: (to) => to.deleteFactor(request),
    };
  }

  async #restoration(client: ApiClient, by: FactorKeypair, main: FactorKeypair): Promise<Prepared> {
    const version = this.#oneOf([...this.#versions]);
    const [next, versionId] = version?.split("/") ?? [];
    if (version === undefined || next === undefined || versionId === undefined)
      return this.#recovery(client, main);
    const current = this.#current;
    const proof = await solved(client, "restore-version", by, { versionId });
    const request = { ...proof, versionId, currentManifestHash: current };
    return {
      request: { operation: "restore-version", by: by.publicKey, current, next, version },
      send: (to) => to.restoreVersion(request),
    };
  }

  #shown(main: FactorKeypair, recovered: Recovered | undefined): Shown {
    if (recovered === undefined) throw new Error("there is no response");
    const { backup, metadata, syncFactorToken } = recovered;
    const content = manifestHashOf(Buffer.from(backup, "base64"));
    if (content !== metadata.manifestHash) throw new Error("a content with the manifest hash of another");
    this.#current = content;
    this.#tokens.push({ by: main.publicKey, token: syncFactorToken });
    const versions = metadata.versions.map(({ versionId, manifestHash }) => `${manifestHash}/${versionId}`);
    for (const version of versions.toReversed()) {
      this.#versions.delete(version); // it is among the newest again
      this.#versions.add(version);
    }
    const keys = (factors: Recovered["metadata"]["factors"]) =>
      factors.map(({ id, kind }) => {
        const key = kind.kind === "EC_KEYPAIR" ? kind.publicKey : kind.kind;
        this.#factorIds.set(key, id);
        return key;
      });
    return {
      content,
      versions,
      mains: keys(metadata.factors),
      syncs: keys(metadata.syncFactors),
      token: syncFactorToken,
    };
  }

  /** One of the newest, as most of the older ones are on the backup no longer, and most often the very newest. */
  #oneOf<T>(items: readonly T[]): T | undefined {
    const most = Math.min(NEWEST, Math.max(1, items.length));
    return items.at(-1 - (this.#random() % (1 + (this.#random() % most))));
  }
}

/**
 * The contents that more requests replaced than made current: of two requests that replace the same content one must be
 * refused. The checker finds this and more, but needs Go.
 */
export function replacedTooOften(history: readonly Entry[]): readonly string[] {
  const timesLeft = new Map<string, number>();
  const count = (content: string | undefined, times: number) => {
    if (content !== undefined) timesLeft.set(content, (timesLeft.get(content) ?? 0) + times);
  };
  for (const { request, response } of history) {
    if (response.outcome === "ok" || response.outcome === "unknown") count(request.next, 1);
    if (response.outcome === "ok") count(request.current, -1);
  }
  return [...timesLeft].flatMap(([content, times]) => (times < 0 ? [content] : []));
}

/**
 * The requests that were refused because another had changed the backup meanwhile, though none can have. The checker's model
 * does not see which requests are concurrent.
 */
export function overtakenByNone(history: readonly Entry[]): readonly Entry[] {
  const changes = history.filter(
    ({ request, response: { outcome } }) =>
      request.operation !== "retrieve" && (outcome === "ok" || outcome === "unknown"),
  );
  return history.filter(
    ({ call, return: end, response }) =>
      response.outcome === "overtaken" && !changes.some((other) => other.call < end && other.return > call),
  );
}

/** The requests that a fault of the service ended. */
export function internalErrors(history: readonly Entry[]): readonly Entry[] {
  return history.filter(({ internalError }) => internalError !== undefined);
}

/** What comes of a request whose process was killed. @throws every other error. */
function nullIfKilled(error: unknown): null {
  if (isBrokenConnection(error)) return null;
  throw error;
}

function responseOf(received: ApiResponse<unknown>, shown: Prepared["shown"]): Entry["response"] {
  if (received.status < 300) return { outcome: "ok", ...shown?.() };
  return { outcome: received.code() === "conflicting_lock" ? "overtaken" : "refused" };
}

function nowNs(): number {
  return Math.round(performance.now() * 1_000_000);
}
