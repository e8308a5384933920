/** Work whose failure must not fail the request that started it. It is waited for before the process ends. */
export interface Background {
  /** Starts `work`. The result resolves when the work has ended, also when it failed: that is logged under `name`. */
  run(name: string, work: () => Promise<unknown>): Promise<void>;
  /** Resolves when all work that was started has ended. */
  settled(): Promise<void>;
}

/** Where failures are reported. */
export interface FailureLog {
  error(failure: { readonly err: unknown; readonly task: string }, message: string): void;
}

export function createBackground(log: FailureLog): Background {
  const running = new Set<Promise<void>>();

  async function attempt(name: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      log.error({ err: error, task: name }, "background work failed");
    }
  }

  return {
    run(name, work) {
      const task = attempt(name, work).finally(() => running.delete(task));
      running.add(task);
      return task;
    },
    async settled() {
      while (running.size > 0) await Promise.all(running);
    },
  };
}
