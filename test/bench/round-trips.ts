/** How many store calls each operation makes one after the other: what decides its latency on a distant store. */
import type { Driver } from "../drivers.ts";
import type { ApiClient, ApiResponse } from "../support/api-client.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { type Interceptor, interceptedStores } from "../support/intercepted-stores.ts";
import { startService } from "../support/service.ts";
import {
  addSyncFactorRequest,
  createPayload,
  metadataOf,
  newUser,
  recovered,
  resetRequest,
  solved,
  syncPayload,
  userWithBackup,
} from "../support/users.ts";

export interface RoundTrips {
  readonly operation: string;
  /** How many calls were made one after the other; concurrent calls count as one. */
  readonly sequential: number;
  readonly calls: readonly string[];
  readonly elapsedMs: number;
}

/** The most that each operation may make. Clean-up after the response does not count. */
export const ROUND_TRIP_LIMITS: Readonly<Record<string, number>> = {
  challenge: 0,
  create: 2,
  retrieve: 3,
  "verify-factor": 2,
  "retrieve-metadata": 2,
  "add-sync-factor": 3,
  sync: 4,
  "delete-factor": 3,
  "delete-backup": 4,
  reset: 4,
  status: 1,
};

/** Calls that operations make after their response. They are blocked until then: an operation that waits never ends. */
const AFTER_THE_RESPONSE: Readonly<Record<string, string>> = {
  sync: "blobs.delete",
  "retrieve-metadata": "records.commit", // when the factor was used last
};

/** Runs every operation once against stores that delay each call by `delayMs`. */
export async function measureRoundTrips(driver: Driver, delayMs: number): Promise<RoundTrips[]> {
  const recorder = new CallRecorder(delayMs);
  await using service = await startService(driver, {
    wrapStores: (stores) => interceptedStores(stores, recorder.around),
  });
  const { client, services } = service;
  const results: RoundTrips[] = [];

  for (const [operation, prepare] of Object.entries(operations(client))) {
    const call = await prepare();
    await services.background.settled();
    const release = recorder.start(AFTER_THE_RESPONSE[operation]);
    const startedMs = performance.now();
    const answer = await call();
    const elapsedMs = performance.now() - startedMs;
    results.push({ operation, ...recorder.result(), elapsedMs });
    release();
    answer.ok();
  }
  return results;
}

type Prepare = () => Promise<() => Promise<ApiResponse<unknown>>>;

function operations(client: ApiClient): Record<string, Prepare> {
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
    status: async () => {
      const user = await userWithBackup(client);
      return () => client.backupStatus({ backupId: user.account.backupAccountId });
    },
  };
}

/** Delays calls and records which of them ran one after the other. */
class CallRecorder {
  readonly #delayMs: number;
  #calls: { readonly name: string; readonly layer: number; ended: boolean }[] = [];
  #inFlight = 0;
  #layer = 0;
  #blocked: { readonly name: string; readonly released: Promise<void> } | null = null;

  constructor(delayMs: number) {
    this.#delayMs = delayMs;
  }

  /** @returns a function that releases the calls named `blocked`. */
  start(blocked?: string): () => void {
    this.#calls = [];
    this.#layer = 0;
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    this.#blocked = blocked === undefined ? null : { name: blocked, released };
    return release;
  }

  readonly around: Interceptor = async (name, run) => {
    if (this.#inFlight++ === 0) this.#layer++;
    const call = { name, layer: this.#layer, ended: false };
    this.#calls.push(call);
    try {
      await Bun.sleep(this.#delayMs);
      if (this.#blocked?.name === name) await this.#blocked.released;
      return await run();
    } finally {
      call.ended = true;
      this.#inFlight--;
    }
  };

  /** Calls that end after the response do not count. */
  result() {
    const waitedFor = this.#calls.filter(({ ended }) => ended);
    return {
      sequential: new Set(waitedFor.map(({ layer }) => layer)).size,
      calls: waitedFor.map(({ name }) => name),
    };
  }
}
