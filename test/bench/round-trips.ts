/** How many store calls each operation makes one after the other: what decides its latency on a distant store. */
import type { Driver } from "../drivers.ts";
import { type Interceptor, interceptedStores } from "../support/intercepted-stores.ts";
import { startService } from "../support/service.ts";
import { preparedOperations } from "./prepared-operations.ts";

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
  "retrieve-metadata, again that day": 2,
  "add-factor": 3,
  "add-sync-factor": 3,
  sync: 4,
  "delete-factor": 3,
  "delete-backup": 3,
  reset: 3,
  undelete: 4, // the states are read before the record and once more after it
  "restore-version": 3,
  events: 3,
  status: 1,
};

/** Calls that operations make after their response. They are blocked until then: an operation that waits never ends. */
const AFTER_THE_RESPONSE: Readonly<Record<string, string>> = {
  sync: "blobs.delete",
  "delete-backup": "blobs.delete",
  reset: "blobs.delete",
  "retrieve-metadata": "records.commit", // when the factor was used last
  events: "records.commit",
};

/** Runs every operation once against stores that delay each call by `delayMs`. */
export async function measureRoundTrips(driver: Driver, delayMs: number): Promise<RoundTrips[]> {
  const recorder = new CallRecorder(delayMs);
  await using service = await startService(driver, {
    wrapStores: (stores) => interceptedStores(stores, recorder.around),
  });
  const { client, services } = service;
  const results: RoundTrips[] = [];

  for (const [operation, prepare] of Object.entries(preparedOperations(client))) {
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
