import type { Clock } from "../../src/clock.ts";

/** A clock that stands still until a test moves it. */
export class SettableClock implements Clock {
  #nowMs: number;

  constructor(nowMs = Date.UTC(2026, 0, 15, 12)) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  set(nowMs: number): void {
    this.#nowMs = nowMs;
  }

  /** Moves the clock by `ms`, backwards when negative. */
  advance(ms: number): void {
    this.#nowMs += ms;
  }
}
