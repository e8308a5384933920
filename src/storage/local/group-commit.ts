import type { Database } from "bun:sqlite";
import { asFailedWrite, isBusy, isOutage } from "./outage.ts";

/** How long a write rests before it is tried again. */
export const BUSY_PAUSE_MS = 5;

/** For how many turns of the event loop the first write of a group waits for others, and after what time none begins. */
const LINGER_TURNS = 6;
const LINGER_MS = 1;

interface Waiting {
  /** Makes the write inside the transaction; the result answers the caller, once the transaction is durable. */
  readonly attempt: () => () => void;
  readonly fail: (error: unknown) => void;
}

/**
 * Makes the writes that wait at the same time in one transaction, so that they share one sync of the disk, which is
 * most of what a write costs. Each write is all or nothing by itself, sees those before it, and is answered when
 * all of them are durable.
 */
export class GroupCommit {
  readonly #write: (group: readonly Waiting[]) => readonly (() => void)[];
  readonly #nested: (attempt: () => unknown) => unknown;
  readonly #database: Database;
  readonly #busyTimeoutMs: number;
  readonly #lingerMs: number;
  #waiting: Waiting[] = [];

  /**
   * @param busyTimeoutMs how long a write waits for another process's before the store counts as unavailable.
   * @param lingerMs after what time the first write of a group waits no further turn for others.
   */
  constructor(database: Database, busyTimeoutMs: number, lingerMs = LINGER_MS) {
    this.#database = database;
    this.#busyTimeoutMs = busyTimeoutMs;
    this.#lingerMs = lingerMs;
    // The write lock is held from the first check to the last write, so nothing can change in between.
    this.#write = database.transaction((group: readonly Waiting[]) =>
      group.map(({ attempt }) => attempt()),
    ).immediate;
    this.#nested = database.transaction((attempt: () => unknown) => attempt());
  }

  /**
   * Adds a write. Reads inside `run` see the state it writes to.
   *
   * @throws NotCommitted when the database cannot be written now; StorageUnavailable when the outcome is unknown; what
   *   `run` throws: then only this write is undone.
   */
  add<T>(run: () => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const attempt = () => {
      try {
        let result: { readonly value: T } | undefined;
        this.#nested(() => {
          result = { value: run() };
        });
        const value = result;
        return () => value && resolve(value.value);
      } catch (error) {
        // Then nothing of the group can be relied on: SQLite may have undone all of it by itself.
        if (isOutage(error) || !this.#database.inTransaction) throw error;
        return () => reject(error);
      }
    };
    if (this.#waiting.push({ attempt, fail: reject }) === 1) this.#linger(LINGER_TURNS, performance.now());
    return promise;
  }

  /** Gives others the time to join: turns of the event loop, which take none when there is nothing else to do. */
  #linger(turns: number, sinceMs: number): void {
    setImmediate(() => {
      if (turns > 1 && performance.now() - sinceMs < this.#lingerMs) this.#linger(turns - 1, sinceMs);
      else this.flush();
    });
  }

  /** Makes the writes that wait, now. */
  flush(): void {
    const group = this.#waiting;
    this.#waiting = [];
    if (group.length > 0) this.#make(group, performance.now());
  }

  #make(group: readonly Waiting[], sinceMs: number): void {
    try {
      for (const answer of this.#write(group)) answer();
    } catch (error) {
      // The event loop goes on while another process writes; SQLite itself would wait on it.
      if (isBusy(error) && performance.now() - sinceMs < this.#busyTimeoutMs) {
        setTimeout(() => this.#make(group, sinceMs), BUSY_PAUSE_MS);
        return;
      }
      const failure = asFailedWrite(error);
      for (const { fail } of group) fail(failure);
    }
  }
}
