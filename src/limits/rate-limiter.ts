/**
 * Limits how often a subject (a client address, a backup) may do something within a window of time, or how much of it.
 *
 * Each process counts for itself, so that a request costs no call to a store. It adds its counts to shared ones from time
 * to time, so that the processes of a service enforce one limit together, except for counts that are not shared yet. While
 * the store is unavailable, each process enforces the limit on the counts that it has.
 */
import { ServiceError } from "../errors.ts";
import type { Background } from "../runtime/background.ts";
import type { Clock } from "../runtime/clock.ts";
import type { RecordStore } from "../storage/contract.ts";

export interface RateLimit {
  /** Distinguishes limits on the same subject; in the log. */
  readonly name: string;
  /** The most that may be counted within a window. */
  readonly max: number;
  readonly windowMs: number;
}

/** The limit named `limit` is exceeded, for `retryAfterS` seconds at most. */
export class TooManyRequests extends ServiceError {
  readonly retryAfterS: number;
  readonly limit: string;

  constructor(limit: string, retryAfterS: number) {
    super("too_many_requests", `Too many requests: try again in ${retryAfterS} s`);
    this.name = "TooManyRequests";
    this.limit = limit;
    this.retryAfterS = retryAfterS;
  }
}

export interface RateLimiter {
  /** @throws TooManyRequests when the limit leaves `subject` less than `amount`, which is 1 if not given. */
  check(limit: RateLimit, subject: string, amount?: number): void;
  /** Counts `amount`, which is 1 if not given. */
  count(limit: RateLimit, subject: string, amount?: number): void;
  /**
   * Reserves `amount` of the limit for work that may fail, so that concurrent work cannot exceed the limit together.
   *
   * @throws TooManyRequests as {@link check}.
   */
  reserve(limit: RateLimit, subject: string, amount: number): Reservation;
}

/** Disposing of it releases what was reserved. */
export interface Reservation extends Disposable {
  /** Counts `amount`, in the current window. */
  count(amount: number): void;
}

interface RateLimiterOptions {
  readonly clock: Clock;
  readonly background: Background;
  readonly counters: Pick<RecordStore, "addToCounter">;
}

interface Window {
  readonly endsAtMs: number;
  readonly max: number;
  /** The shared count, when ours was last added to it. */
  shared: number;
  /** What this process has counted since. */
  own: number;
  /** The sum of the reservations. */
  reserved: number;
  isSharing: boolean;
}

/** Counts are shared when they reach a tenth of the limit. */
const SHARED_PART = 10;
/** Above this many subjects, the oldest that have used little are evicted. */
const MAX_SUBJECTS = 100_000;
/** The most windows in use that are skipped to find one to evict. */
const MAX_SKIPPED = 8;
/** If only reservations exceed the limit: they are released when their requests end. */
const RESERVED_RETRY_S = 5;

export function createRateLimiter({ clock, background, counters }: RateLimiterOptions): RateLimiter {
  const windows = new Map<string, Window>();
  let oldestFirst = windows.entries();

  /** The current window of a subject. Windows of one limit begin and end at the same times in every process. */
  function windowOf({ name, max, windowMs }: RateLimit, subject: string): { key: string; window: Window } {
    const nowMs = clock.nowMs();
    const key = `${name}|${subject}`;
    const known = windows.get(key);
    const endsAtMs = (Math.floor(nowMs / windowMs) + 1) * windowMs;
    // another end is of a window that is over, or that began before the clock was set back
    if (known?.endsAtMs === endsAtMs) return { key, window: known };
    const window: Window = { endsAtMs, max, shared: 0, own: 0, reserved: 0, isSharing: false };
    windows.delete(key); // so that the map is in the order of the windows
    windows.set(key, window);
    if (windows.size > MAX_SUBJECTS) evictOneBut(key, nowMs);
    return { key, window };
  }

  /**
   * Skips windows in use, so that a flood of new subjects does not reset the limits of its sender. One iterator is kept:
   * a new one would step over every deleted entry (50 us each time, in Bun 1.4).
   */
  function evictOneBut(newest: string, nowMs: number): void {
    for (let skipped = 0; ; ) {
      const next = oldestFirst.next();
      if (next.done === true) {
        oldestFirst = windows.entries();
        continue;
      }
      const [key, window] = next.value;
      if (key === newest) continue;
      if (isWorthKeeping(window, nowMs) && skipped < MAX_SKIPPED) {
        skipped += 1;
        continue;
      }
      windows.delete(key);
      return;
    }
  }

  async function share(key: string, window: Window): Promise<void> {
    const own = window.own;
    window.isSharing = true;
    try {
      window.shared = await counters.addToCounter(`${key}|${window.endsAtMs}`, own, window.endsAtMs);
      window.own -= own;
    } finally {
      window.isSharing = false;
    }
  }

  function check(limit: RateLimit, subject: string, amount = 1): void {
    const { window } = windowOf(limit, subject);
    const { endsAtMs, shared, own, reserved } = window;
    if (shared + own + amount > limit.max)
      throw new TooManyRequests(limit.name, Math.max(1, Math.ceil((endsAtMs - clock.nowMs()) / 1000)));
    if (shared + own + reserved + amount > limit.max) throw new TooManyRequests(limit.name, RESERVED_RETRY_S);
  }

  function count(limit: RateLimit, subject: string, amount = 1): void {
    const { key, window } = windowOf(limit, subject);
    window.own += amount;
    if (isToBeShared(window) && !window.isSharing)
      void background.run("share rate limit counts", () => share(key, window));
  }

  function reserve(limit: RateLimit, subject: string, amount: number): Reservation {
    check(limit, subject, amount);
    const { window } = windowOf(limit, subject);
    let reserved = amount;
    window.reserved += reserved;
    return {
      count: (used) => count(limit, subject, used),
      [Symbol.dispose]() {
        window.reserved -= reserved;
        reserved = 0;
      },
    };
  }

  return { check, count, reserve };
}

function isToBeShared({ own, max }: Window): boolean {
  return own * SHARED_PART >= max;
}

/** Evicting another window loses at most the part of its count that is not shared yet. */
function isWorthKeeping(window: Window, nowMs: number): boolean {
  return window.endsAtMs > nowMs && (window.shared > 0 || window.reserved > 0 || isToBeShared(window));
}
