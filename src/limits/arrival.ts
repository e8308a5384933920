import type { Clock } from "../runtime/clock.ts";
import { PROGRESS_BYTES } from "../runtime/sizes.ts";

/** How a body arrives: how much has come, and for how long the service has waited for the client to send it. */
export class Arrival {
  /** Bytes that have arrived. */
  bytes = 0;
  readonly #clock: Pick<Clock, "elapsedMs">;
  #waitedMs = 0;
  #waitingSinceMs: number | null = null;
  /** What had arrived, and for how long had been waited, when there was progress last. */
  #progress = { bytes: 0, waitedMs: 0 };

  constructor(clock: Pick<Clock, "elapsedMs">) {
    this.#clock = clock;
  }

  /** From now on the service waits for the client. */
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

  /** For how long the service has waited for the client, all in all. */
  get waitedMs(): number {
    const running = this.#waitingSinceMs === null ? 0 : this.#clock.elapsedMs() - this.#waitingSinceMs;
    return this.#waitedMs + running;
  }

  /** For how long the client has sent next to nothing; 0 while it is not the client that the service waits for. */
  get stillMs(): number {
    return this.#waitingSinceMs === null ? 0 : this.waitedMs - this.#progress.waitedMs;
  }
}
