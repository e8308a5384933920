import { randomBytes, randomUUID } from "node:crypto";

/** Where the service takes the time from; tests set it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  nowMs(): number;
  /** Milliseconds since some moment. They never go back, whatever is done to the clock, but may not count sleep. */
  elapsedMs(): number;
}

/** An instant by both times of a clock: one may be set, the other may stand still while the machine sleeps. */
export interface Instant {
  readonly nowMs: number;
  readonly elapsedMs: number;
}

export function instantOf(clock: Clock): Instant {
  return { nowMs: clock.nowMs(), elapsedMs: clock.elapsedMs() };
}

/** How long ago an instant of the same process was, by the time that says more. */
export function msSince(instant: Instant, clock: Clock): number {
  return Math.max(clock.nowMs() - instant.nowMs, clock.elapsedMs() - instant.elapsedMs);
}

/** Where the service takes unpredictable values from. */
export interface Random {
  /** `length` bytes from the operating system's generator. */
  bytes(length: number): Uint8Array;
  /** A version 4 UUID (RFC 9562 §5.4). */
  uuid(): string;
}

export const systemClock: Clock = { nowMs: () => Date.now(), elapsedMs: () => performance.now() };

export const systemRandom: Random = { bytes: (length) => randomBytes(length), uuid: () => randomUUID() };
