import type { Pause } from "../../src/runtime/pause.ts";
import type { SettableClock } from "./settable-clock.ts";

/** Pauses that end when a test lets the time of its clock pass. */
export class SettablePauses {
  readonly #clock: SettableClock;
  readonly #pending = new Map<() => void, number>();

  constructor(clock: SettableClock) {
    this.#clock = clock;
  }

  readonly pause: Pause = async (ms, signal) => {
    if (signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pending.set(resolve, this.#clock.nowMs() + ms);
    signal.addEventListener("abort", () => resolve());
    await promise;
    this.#pending.delete(resolve);
  };

  /** How long the pauses that have not ended still take. */
  get pendingMs(): readonly number[] {
    return [...this.#pending.values()].map((endMs) => endMs - this.#clock.nowMs());
  }

  /** Lets `ms` pass: each pause ends at its time, and what follows from it in memory happens before time goes on. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.#clock.nowMs() + ms;
    await settled();
    for (let next = this.#nextUntil(untilMs); next !== null; next = this.#nextUntil(untilMs)) {
      this.#clock.advance(Math.max(0, next.endMs - this.#clock.nowMs()));
      next.end();
      await settled();
    }
    this.#clock.advance(untilMs - this.#clock.nowMs());
  }

  #nextUntil(untilMs: number): { readonly end: () => void; readonly endMs: number } | null {
    const [next] = [...this.#pending].toSorted(([, a], [, b]) => a - b);
    return next === undefined || next[1] > untilMs ? null : { end: next[0], endMs: next[1] };
  }
}

/** Resolves when what is in progress waits for something outside memory. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
