import type { Stores } from "../../src/services.ts";
import type { BlobStore, RecordStore } from "../../src/storage/contract.ts";
import { replaced } from "./store-wrappers.ts";

/** Names a call of a process to what is around it, such as `records.commit`. */
export type StoreCall =
  | `collection.${"take" | "settle"}`
  | `outbox.${"claim" | "settle"}`
  | "post"
  | `records.${keyof RecordStore & string}`
  | "records.release"
  | `blobs.${Exclude<keyof BlobStore & string, "freeBytes">}`
  | `source.${"metadata" | "rows" | "ciphertextPieces"}`;

/** Stands between the service and its stores: it may run the call, delay it, fail, or run it and fail all the same. */
export type Interceptor = <T>(call: StoreCall, run: () => Promise<T>) => Promise<T>;

/** The same stores with every call (but `freeBytes`) going through `around`. */
export function interceptedStores({ records, blobs }: Stores, around: Interceptor): Stores {
  return {
    records: {
      locate: (factor, nonces) => around("records.locate", () => records.locate(factor, nonces)),
      isConsumed: (nonces) => around("records.isConsumed", () => records.isConsumed(nonces)),
      read: (backupId) => around("records.read", () => records.read(backupId)),
      commit: (change) => around("records.commit", () => records.commit(change)),
      async consume(nonces, issue, events) {
        const consumption = await around("records.consume", () => records.consume(nonces, issue, events));
        return consumption && { release: () => around("records.release", () => consumption.release()) };
      },
      readDeleted: (backupId, after) =>
        around("records.readDeleted", () => records.readDeleted(backupId, after)),
      readEvents: (logId, page) => around("records.readEvents", () => records.readEvents(logId, page)),
      readToken: (id) => around("records.readToken", () => records.readToken(id)),
      addToCounter: (id, amount, expiresAtMs) =>
        around("records.addToCounter", () => records.addToCounter(id, amount, expiresAtMs)),
      ready: () => around("records.ready", () => records.ready()),
      writable: () => around("records.writable", () => records.writable()),
      [Symbol.asyncDispose]: () => records[Symbol.asyncDispose](),
    },
    blobs: {
      put: (backupId, content, client) => around("blobs.put", () => blobs.put(backupId, content, client)),
      get: (ref, client) => around("blobs.get", () => blobs.get(ref, client)),
      freeBytes: () => blobs.freeBytes(),
      delete: (key) => around("blobs.delete", () => blobs.delete(key)),
      ready: () => around("blobs.ready", () => blobs.ready()),
      writable: () => around("blobs.writable", () => blobs.writable()),
      [Symbol.asyncDispose]: () => blobs[Symbol.asyncDispose](),
    },
  };
}

/**
 * Does something once, right before the next call of a name: what another request may do in the middle of one. Where that
 * call never comes, the stores fail when they are closed: the test has shown nothing.
 */
export class Interruptions {
  readonly #acts = new Map<StoreCall, () => Promise<void>>();

  before(call: StoreCall, act: () => Promise<void>): void {
    this.#acts.set(call, act);
  }

  readonly wrapStores = (stores: Stores): Stores => {
    const { records, blobs } = interceptedStores(stores, async (call, run) => {
      const act = this.#acts.get(call);
      this.#acts.delete(call);
      await act?.();
      return run();
    });
    const close = async () => {
      await records[Symbol.asyncDispose]();
      if (this.#acts.size > 0) throw new Error(`no call of ${[...this.#acts.keys()].join()} came`);
    };
    return { records: replaced(records, { [Symbol.asyncDispose]: close }), blobs };
  };
}
