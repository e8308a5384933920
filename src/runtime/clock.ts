import { randomBytes, randomUUID } from "node:crypto";

/** The service's source of time; tests substitute their own. */
export interface Clock {
  /** Milliseconds since the epoch. */
  nowMs(): number;
  /** Monotonic milliseconds since an arbitrary moment. They may stop while the machine sleeps. */
  elapsedMs(): number;
}

/** An instant on both scales: wall-clock time may be adjusted, monotonic time may stop while the machine sleeps. */
export interface Instant {
  readonly nowMs: number;
  readonly elapsedMs: number;
}

export function instantOf(clock: Clock): Instant {
  return { nowMs: clock.nowMs(), elapsedMs: clock.elapsedMs() };
}

/** Milliseconds since an instant of the same process: the larger difference of the two scales. */
export function msSince(instant: Instant, clock: Clock): number {
  return Math.max(clock.nowMs() - instant.nowMs, clock.elapsedMs() - instant.elapsedMs);
}

/** The service's source of unpredictable values. */
export interface Random {
  /** `length` bytes from the operating system's generator. */
  bytes(length: number): Uint8Array;
  /** A version 4 UUID (RFC 9562 §5.4). */
  uuid(): string;
}

export const systemClock: Clock = { nowMs: () => Date.now(), elapsedMs: () => performance.now() };

export const systemRandom: Random = { bytes: (length) => randomBytes(length), uuid: () => randomUUID() };

/** A random number from 0 to almost 1. */
export function fraction(random: Pick<Random, "bytes">): number {
  return Buffer.from(random.bytes(4)).readUInt32BE() / 2 ** 32;
}
