import { ServiceError } from "../errors.ts";

export interface FairSemaphoreOptions {
  /** How many calls run at a time. */
  readonly permits: number;
  /** How many calls of one key run at a time; `permits` if not given. */
  readonly maxPerKey?: number;
  /** How many of one key wait at a time; any number if not given. */
  readonly maxWaitingPerKey?: number;
  /** The longest wait for a permit. */
  readonly maxWaitMs: number;
}

/** A counting semaphore with a queue for each key: first in, first out within a key, round-robin among keys. */
export class FairSemaphore {
  readonly #maxPerKey: number;
  readonly #maxWaitingPerKey: number;
  readonly #maxWaitMs: number;
  readonly #held = new Map<string, number>();
  /** Waiting calls by key, in the order in which keys are served next. No queue is empty. */
  readonly #queues = new Map<string, Set<() => void>>();
  #free: number;

  constructor({
    permits,
    maxPerKey = permits,
    maxWaitingPerKey = Number.POSITIVE_INFINITY,
    maxWaitMs,
  }: FairSemaphoreOptions) {
    this.#free = permits;
    this.#maxPerKey = maxPerKey;
    this.#maxWaitingPerKey = maxWaitingPerKey;
    this.#maxWaitMs = maxWaitMs;
  }

  /**
   * Runs `work` with a permit for `key`.
   *
   * @throws ServiceError `service_unavailable` if no permit is free within `maxWaitMs`, or too many calls of the key wait.
   *   Rethrows what `work` throws.
   */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    if (this.#canAcquire(key)) this.#acquire(key);
    else await this.#waitForPermit(key);
    try {
      return await work();
    } finally {
      this.#release(key);
    }
  }

  #canAcquire(key: string): boolean {
    return this.#free > 0 && (this.#held.get(key) ?? 0) < this.#maxPerKey;
  }

  #acquire(key: string): void {
    this.#free--;
    this.#held.set(key, (this.#held.get(key) ?? 0) + 1);
  }

  #release(key: string): void {
    this.#free++;
    const left = (this.#held.get(key) ?? 0) - 1;
    if (left > 0) this.#held.set(key, left);
    else this.#held.delete(key);
    this.#admitNext();
  }

  /** A released permit admits at most one waiting call. */
  #admitNext(): void {
    for (const [key, queue] of this.#queues) {
      const [admit] = queue;
      if (admit === undefined || !this.#canAcquire(key)) continue;
      this.#acquire(key);
      admit();
      if (this.#queues.delete(key) && queue.size > 0) this.#queues.set(key, queue); // behind the other keys
      return;
    }
  }

  /** Resolves once the caller has a permit. */
  #waitForPermit(key: string): Promise<void> {
    const queue = this.#queues.get(key) ?? new Set();
    if (queue.size >= this.#maxWaitingPerKey) throw tooManyWait();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = () => {
      clearTimeout(timer);
      queue.delete(admit);
    };
    const admit = () => {
      leave();
      resolve();
    };
    const timer = setTimeout(() => {
      leave();
      if (queue.size === 0) this.#queues.delete(key);
      reject(tooManyWait());
    }, this.#maxWaitMs);
    queue.add(admit);
    this.#queues.set(key, queue);
    return promise;
  }
}

function tooManyWait(): ServiceError {
  return new ServiceError("service_unavailable", "Too many are waiting");
}
