import { FairSemaphore } from "./fair-semaphore.ts";
import { within } from "./within.ts";

/**
 * Work whose failure must not fail the request that started it. Failures are logged with the id of that request. Work may
 * be dropped, so something else must make up for it, as the sweep does for a deletion.
 */
export interface Background {
  /**
   * Runs `work`, which should end early when `stopping` is aborted. At most 64 of one name run at a time. Further ones
   * wait, and are dropped after 5 s, or if a thousand of that name wait already. Never rejects.
   */
  run(name: string, work: (stopping: AbortSignal) => Promise<unknown>): Promise<void>;
  /** As {@link run}, at once and never dropped: for work that releases a resource of the process, such as an open file. */
  runAtOnce(name: string, work: () => Promise<unknown>): Promise<void>;
  /** Resolves when all work that was started has ended. */
  settled(): Promise<void>;
  /** Aborts `stopping`. Resolves when all work has ended, after `graceMs` at the latest, and logs what still runs. */
  stop(graceMs: number): Promise<void>;
}

interface FailureLog {
  error(failure: { readonly task: string; readonly err?: unknown }, message: string): void;
}

/** The limits hold for each name, so that work that hangs delays only work of the same name. */
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
      if (stopping.signal.aborted && error === stopping.signal.reason) return; // it ended early, as requested
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
        attemptWithPermit(name, () => work(stopping.signal)),
      ),
    runAtOnce: (name, work) => track(name, attempt(name, work)),
    settled,
    async stop(graceMs) {
      stopping.abort();
      await within(graceMs, settled());
      for (const task of new Set(running.values()))
        log.error({ task }, "background work is cut off by the end of the process");
    },
  };
}
