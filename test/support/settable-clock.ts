import type { Clock } from "../../src/runtime/clock.ts";

/** A clock that stands still until a test moves it. */
export class SettableClock implements Clock {
  #nowMs: number;
  #elapsedMs = 0;

  constructor(nowMs = Date.UTC(2026, 0, 15, 12)) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  elapsedMs(): number {
    return this.#elapsedMs;
  }

  /** Puts the clock forward or back, in which no time passes. */
  set(nowMs: number): void {
    this.#nowMs = nowMs;
  }

  /** Lets `ms` pass; puts the clock back when negative, in which no time passes. */
  advance(ms: number): void {
    this.#nowMs += ms;
    this.#elapsedMs += Math.max(0, ms);
  }
}
