import { FairSemaphore } from "./fair-semaphore.ts";
import { within } from "./within.ts";

/**
 * Work whose failure must not fail the request that started it: the log has it, with the id of that request.
 *
 * It may be dropped, which the log has too. So nothing may be lost by that: something else does it later, or it is tried
 * again, as the sweep deletes a blob whose deletion was dropped.
 */
export interface Background {
  /**
   * Runs `work`, which should end early when `stopping` is aborted. Not more than 64 of one name run at a time; what is
   * more waits, and is dropped after 5 s or when a thousand of that name wait before it. The result resolves when the
   * work has ended, failed or was dropped.
   */
  run(name: string, work: (stopping: AbortSignal) => Promise<unknown>): Promise<void>;
  /**
   * As {@link run}, at once and never dropped: for what gives back something that the process holds, such as an open
   * file. There is no more of it than is held.
   */
  runAtOnce(name: string, work: () => Promise<unknown>): Promise<void>;
  /** Resolves when all work that was started has ended. */
  settled(): Promise<void>;
  /** Aborts `stopping`. Resolves when all work has ended, after `graceMs` at the latest: the log names what has not. */
  stop(graceMs: number): Promise<void>;
}

/** Where failures are reported. */
export interface FailureLog {
  error(failure: { readonly task: string; readonly err?: unknown }, message: string): void;
}

/** For each name, so that work which hangs holds up only its own kind. */
export interface BackgroundLimits {
  readonly maxRunning: number;
  readonly maxWaiting: number;
  readonly maxWaitMs: number;
}

const LIMITS: BackgroundLimits = { maxRunning: 64, maxWaiting: 1_000, maxWaitMs: 5_000 };

export function createBackground(
  log: FailureLog,
  { maxRunning, maxWaiting, maxWaitMs }: BackgroundLimits = LIMITS,
): Background {
  const running = new Map<Promise<void>, string>();
  const stopping = new AbortController();
  const { signal } = stopping;
  const semaphore = new FairSemaphore({
    permits: Number.POSITIVE_INFINITY,
    maxPerKey: maxRunning,
    maxWaitingPerKey: maxWaiting,
    maxWaitMs,
  });

  function track(name: string, work: Promise<void>): Promise<void> {
    const task = work.finally(() => running.delete(task));
    running.set(task, name);
    return task;
  }

  async function attempt(name: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (signal.aborted && error === signal.reason) return; // it has ended early, as it was asked to
      log.error({ err: error, task: name }, "background work failed");
    }
  }

  async function attemptWithPermit(name: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await semaphore.run(name, () => attempt(name, work));
    } catch (error) {
      log.error({ err: error, task: name }, "background work was dropped");
    }
  }

  async function settled(): Promise<void> {
    while (running.size > 0) await Promise.all(running.keys());
  }

  return {
    run: (name, work) =>
      track(
        name,
        attemptWithPermit(name, () => work(signal)),
      ),
    runAtOnce: (name, work) => track(name, attempt(name, work)),
    settled,
    async stop(graceMs) {
      stopping.abort();
      if (await within(graceMs, settled())) return;
      for (const task of new Set(running.values()))
        log.error({ task }, "background work is cut off by the end of the process");
    },
  };
}
