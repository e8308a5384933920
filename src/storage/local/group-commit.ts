import type { Database } from "bun:sqlite";
import { asFailedWrite, isBusy, isOutage } from "./outage.ts";

/** The pause before a write is retried while another process writes. */
export const BUSY_PAUSE_MS = 5;

/** For how many iterations of the event loop, and how long, the first write of a group waits for others. */
const MAX_LINGER_ITERATIONS = 6;
const LINGER_MS = 1;

interface Waiting {
  /** Makes the write inside the transaction; returns what settles it once the transaction is durable. */
  readonly attempt: () => () => void;
  readonly fail: (error: unknown) => void;
}

/**
 * Makes concurrent writes in one transaction, so that they share one sync of the disk, which is most of what a write
 * costs. Each write is atomic by itself, reads what those before it have written, and resolves when all are durable.
 */
export class GroupCommit {
  readonly #write: (group: readonly Waiting[]) => readonly (() => void)[];
  readonly #nested: (attempt: () => unknown) => unknown;
  readonly #database: Database;
  readonly #busyTimeoutMs: number;
  readonly #lingerMs: number;
  #waiting: Waiting[] = [];

  /**
   * @param busyTimeoutMs how long a write waits for another process's write before it fails.
   * @param lingerMs how long the first write of a group waits for others.
   */
  constructor(database: Database, busyTimeoutMs: number, lingerMs = LINGER_MS) {
    this.#database = database;
    this.#busyTimeoutMs = busyTimeoutMs;
    this.#lingerMs = lingerMs;
    // IMMEDIATE takes the write lock before the first read, so nothing changes between the reads and the writes.
    this.#write = database.transaction((group: readonly Waiting[]) =>
      group.map(({ attempt }) => attempt()),
    ).immediate;
    this.#nested = database.transaction((attempt: () => unknown) => attempt());
  }

  /**
   * Adds a write. What `run` reads does not change before it is written.
   *
   * @throws NotCommitted when the database cannot be written now; StorageUnavailable when the outcome is unknown; what
   *   `run` throws: then only this write is undone.
   */
  add<T>(run: () => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const attempt = () => {
      try {
        let settle = () => {};
        this.#nested(() => {
          const result = run();
          settle = () => resolve(result);
        });
        return settle;
      } catch (error) {
        // SQLite may have rolled back the whole group.
        if (isOutage(error) || !this.#database.inTransaction) throw error;
        return () => reject(error);
      }
    };
    if (this.#waiting.push({ attempt, fail: reject }) === 1)
      this.#linger(MAX_LINGER_ITERATIONS, performance.now());
    return promise;
  }

  /** Waits some iterations of the event loop for more writes. They take no time when nothing else runs. */
  #linger(iterations: number, sinceMs: number): void {
    setImmediate(() => {
      if (iterations > 1 && performance.now() - sinceMs < this.#lingerMs)
        this.#linger(iterations - 1, sinceMs);
      else this.flush();
    });
  }

  /** Makes the waiting writes now. */
  flush(): void {
    const group = this.#waiting;
    this.#waiting = [];
    if (group.length > 0) this.#make(group, performance.now());
  }

  #make(group: readonly Waiting[], sinceMs: number): void {
    try {
      for (const settle of this.#write(group)) settle();
    } catch (error) {
      // A timer, since SQLite's own busy timeout would block the event loop.
      if (isBusy(error) && performance.now() - sinceMs < this.#busyTimeoutMs) {
        setTimeout(() => this.#make(group, sinceMs), BUSY_PAUSE_MS);
        return;
      }
      const failure = asFailedWrite(error);
      for (const { fail } of group) fail(failure);
    }
  }
}
