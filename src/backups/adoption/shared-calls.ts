import type { FairSemaphore } from "../../runtime/fair-semaphore.ts";

/**
 * Runs `work` for a key with a permit of the client, or shares the outcome of the one that is running for the key. Nothing
 * is kept when it has ended. What only waits for a permit is not shared: it waits for a client that has used up its share.
 *
 * @throws ServiceError as {@link FairSemaphore.run}; what `work` throws.
 */
export function sharedCalls<T>(
  permits: FairSemaphore,
): (key: string, client: string, work: () => Promise<T>) => Promise<T> {
  const running = new Map<string, Promise<T>>();

  function start(key: string, work: () => Promise<T>): Promise<T> {
    const started = work().finally(() => running.delete(key));
    running.set(key, started);
    return started;
  }

  return (key, client, work) =>
    running.get(key) ?? permits.run(client, () => running.get(key) ?? start(key, work));
}
