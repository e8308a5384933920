/** Limits how many requests of a client are in flight. First come, first served. */
export class Permits {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(count: number) {
    this.#free = count;
  }

  /**
   * Acquires a permit. The function that it returns, or resolves to if no permit is free, releases the permit and must be
   * called once.
   *
   * @throws the reason of `signal` when it aborts first.
   */
  acquire(signal?: AbortSignal): (() => void) | Promise<() => void> {
    if (this.#free === 0) return this.#wait(signal);
    this.#free--;
    return this.#release;
  }

  #wait(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<() => void>();
    const leave = () => {
      this.#waiting.delete(admit);
      reject(signal?.reason);
    };
    const admit = () => {
      signal?.removeEventListener("abort", leave);
      this.#waiting.delete(admit);
      resolve(this.#release);
    };
    signal?.addEventListener("abort", leave);
    this.#waiting.add(admit);
    return promise;
  }

  /** Passes the permit to the call that has waited longest. */
  readonly #release = (): void => {
    const [admit] = this.#waiting;
    if (admit === undefined) this.#free++;
    else admit();
  };
}
