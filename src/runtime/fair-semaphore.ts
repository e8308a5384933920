import { NoRoom, type ServiceError } from "../errors.ts";

export interface FairSemaphoreOptions {
  readonly permits: number;
  /** The most permits of one key; `permits` if not given. */
  readonly maxPerKey?: number;
  /** How many calls of one key may wait; any number if not given. */
  readonly maxWaitingPerKey?: number;
  /** The longest wait for a permit. */
  readonly maxWaitMs?: number;
  /** Called with how long a call waited, whether or not it got a permit then. */
  readonly onWaited?: (seconds: number) => void;
}

/** A counting semaphore with a queue for each key: first in, first out within a key, round-robin among keys. */
export class FairSemaphore {
  readonly #maxPerKey: number;
  readonly #maxWaitingPerKey: number;
  readonly #maxWaitMs: number;
  readonly #onWaited: (seconds: number) => void;
  readonly #held = new Map<string, number>();
  /** Waiting calls by key, in the order in which keys are served next. No queue is empty. */
  readonly #queues = new Map<string, Set<(permit: Disposable) => void>>();
  #free: number;

  constructor({
    permits,
    maxPerKey = permits,
    maxWaitingPerKey = Number.POSITIVE_INFINITY,
    maxWaitMs = 0,
    onWaited = () => {},
  }: FairSemaphoreOptions) {
    this.#free = permits;
    this.#maxPerKey = maxPerKey;
    this.#maxWaitingPerKey = maxWaitingPerKey;
    this.#maxWaitMs = maxWaitMs;
    this.#onWaited = onWaited;
  }

  /**
   * Runs `work` with a permit for `key`.
   *
   * @throws NoRoom as {@link acquire}; what `work` throws.
   */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    using _permit = this.tryAcquire(key) ?? (await this.#waitForPermit(key));
    return await work();
  }

  /**
   * Acquires a permit for `key`. Disposing of it releases it, once.
   *
   * @throws NoRoom if no permit is free within `maxWaitMs`, or too many calls of the key wait.
   */
  async acquire(key: string): Promise<Disposable> {
    return this.tryAcquire(key) ?? this.#waitForPermit(key);
  }

  /** As {@link acquire}, but `null` if no permit is free now. */
  tryAcquire(key: string): Disposable | null {
    return this.#canAcquire(key) ? this.#take(key) : null;
  }

  /** The number of permits that `key` has. */
  heldBy(key: string): number {
    return this.#held.get(key) ?? 0;
  }

  #canAcquire(key: string): boolean {
    return this.#free > 0 && this.heldBy(key) < this.#maxPerKey;
  }

  #take(key: string): Disposable {
    this.#free--;
    this.#held.set(key, this.heldBy(key) + 1);
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (isHeld) this.#release(key);
        isHeld = false;
      },
    };
  }

  #release(key: string): void {
    this.#free++;
    const left = this.heldBy(key) - 1;
    if (left > 0) this.#held.set(key, left);
    else this.#held.delete(key);
    this.#admitNext();
  }

  /** A released permit admits at most one waiting call. */
  #admitNext(): void {
    for (const [key, queue] of this.#queues) {
      const [admit] = queue;
      if (admit === undefined || !this.#canAcquire(key)) continue;
      admit(this.#take(key));
      if (this.#queues.delete(key) && queue.size > 0) this.#queues.set(key, queue); // behind the other keys
      return;
    }
  }

  /** Resolves to a permit that was taken for the caller. */
  #waitForPermit(key: string): Promise<Disposable> {
    const queue = this.#queues.get(key) ?? new Set();
    if (queue.size >= this.#maxWaitingPerKey) throw tooManyWait();
    const { promise, resolve, reject } = Promise.withResolvers<Disposable>();
    const startedMs = performance.now();
    const leave = () => {
      this.#onWaited((performance.now() - startedMs) / 1000);
      clearTimeout(timer);
      queue.delete(admit);
    };
    const admit = (permit: Disposable) => {
      leave();
      resolve(permit);
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
  return new NoRoom("Too many calls are waiting");
}
