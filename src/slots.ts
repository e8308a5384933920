import { ServiceError } from "./errors.ts";

/** Lets so many in at a time; the others wait in the order they came, but not for ever. */
export class Slots {
  readonly #waiting = new Set<() => void>();
  readonly #maxWaitMs: number;
  #free: number;

  constructor(count: number, maxWaitMs: number) {
    this.#free = count;
    this.#maxWaitMs = maxWaitMs;
  }

  /**
   * Runs `work` when it is its turn.
   *
   * @throws ServiceError `service_unavailable` when that takes too long; what `work` throws.
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await this.#turn();
    try {
      return await work();
    } finally {
      const [next] = this.#waiting;
      if (next === undefined) this.#free++;
      else next(); // the slot goes from hand to hand
    }
  }

  #turn(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const admit = () => {
      this.#waiting.delete(admit);
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(() => {
      this.#waiting.delete(admit);
      reject(new ServiceError("service_unavailable", "Too many transfers wait for their turn"));
    }, this.#maxWaitMs);
    this.#waiting.add(admit);
    return promise;
  }
}
