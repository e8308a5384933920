import { ServiceError } from "../errors.ts";

export interface FairSemaphoreOptions {
  /** How many run at a time. */
  readonly permits: number;
  /** How many of one key run at a time, however many permits are free; `permits` if not given. */
  readonly maxPerKey?: number;
  /** The longest wait for a permit. */
  readonly maxWaitMs: number;
}

/** A counting semaphore with a queue for each key: first in, first out within a key, round-robin among keys. */
export class FairSemaphore {
  readonly #maxPerKey: number;
  readonly #maxWaitMs: number;
  readonly #held = new Map<string, number>();
  /** By key, in the order in which keys are served next. No queue is empty. */
  readonly #queues = new Map<string, Set<() => void>>();
  #free: number;

  constructor({ permits, maxPerKey = permits, maxWaitMs }: FairSemaphoreOptions) {
    this.#free = permits;
    this.#maxPerKey = maxPerKey;
    this.#maxWaitMs = maxWaitMs;
  }

  /**
   * Runs `work` with a permit of `key`.
   *
   * @throws ServiceError `service_unavailable` when none is free within `maxWaitMs`; what `work` throws.
   */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    if (this.#mayTake(key)) this.#take(key);
    else await this.#permit(key);
    try {
      return await work();
    } finally {
      this.#giveBack(key);
    }
  }

  #mayTake(key: string): boolean {
    return this.#free > 0 && (this.#held.get(key) ?? 0) < this.#maxPerKey;
  }

  #take(key: string): void {
    this.#free--;
    this.#held.set(key, (this.#held.get(key) ?? 0) + 1);
  }

  #giveBack(key: string): void {
    this.#free++;
    const left = (this.#held.get(key) ?? 0) - 1;
    if (left > 0) this.#held.set(key, left);
    else this.#held.delete(key);
    this.#admitNext();
  }

  /** A permit that is given back goes to one waiter at most. */
  #admitNext(): void {
    for (const [key, queue] of this.#queues) {
      const [admit] = queue;
      if (admit === undefined || !this.#mayTake(key)) continue;
      this.#take(key);
      admit();
      if (this.#queues.delete(key) && queue.size > 0) this.#queues.set(key, queue); // behind the other keys
      return;
    }
  }

  /** Resolves once a permit was taken for the caller. */
  #permit(key: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const queue = this.#queues.get(key) ?? new Set();
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
      reject(new ServiceError("service_unavailable", "Too many transfers are waiting"));
    }, this.#maxWaitMs);
    queue.add(admit);
    this.#queues.set(key, queue);
    return promise;
  }
}
