import type { Clock } from "../runtime/clock.ts";
import { PROGRESS_BYTES } from "../runtime/sizes.ts";

/** How a body arrives: how much of it, and how long the service has waited for the client. */
export class Arrival {
  bytes = 0;
  readonly #clock: Pick<Clock, "elapsedMs">;
  #waitedMs = 0;
  #waitingSinceMs: number | null = null;
  /** The values at the last progress. */
  #progress = { bytes: 0, waitedMs: 0 };

  constructor(clock: Pick<Clock, "elapsedMs">) {
    this.#clock = clock;
  }

  /** The service waits for the client from now on. */
  beginWait(): void {
    this.#waitingSinceMs ??= this.#clock.elapsedMs();
  }

  /** The wait is over: `bytes` have arrived. */
  endWait(bytes: number): void {
    this.#waitedMs = this.waitedMs;
    this.#waitingSinceMs = null;
    this.bytes += bytes;
    if (this.bytes - this.#progress.bytes >= PROGRESS_BYTES)
      this.#progress = { bytes: this.bytes, waitedMs: this.#waitedMs };
  }

  /** How long the service has waited for the client in total. */
  get waitedMs(): number {
    const running = this.#waitingSinceMs === null ? 0 : this.#clock.elapsedMs() - this.#waitingSinceMs;
    return this.#waitedMs + running;
  }

  /** How long the client has sent next to nothing; 0 while the service does not wait for it. */
  get stalledMs(): number {
    return this.#waitingSinceMs === null ? 0 : this.waitedMs - this.#progress.waitedMs;
  }
}
