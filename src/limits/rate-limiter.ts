/**
 * Rate limits: how often a subject (a client address, a backup) may do something within a window of time.
 *
 * Each process counts for itself, so a limited request costs no call to a store, and adds its counts to shared ones now
 * and then, so several processes behind one address enforce one limit between them, give or take what they have not
 * shared yet. While the shared counts cannot be reached each process goes on enforcing the limit on what it knows.
 */
import type { Background } from "../background.ts";
import type { Clock } from "../clock.ts";
import { ServiceError } from "../errors.ts";
import type { RecordStore } from "../storage/contract.ts";

export interface RateLimit {
  /** Tells limits on the same subject apart. */
  readonly name: string;
  /** Uses within a window. */
  readonly max: number;
  readonly windowMs: number;
}

/** The limit is used up. `retryAfterS` seconds later it is not, if nobody uses it meanwhile. */
export class TooManyRequests extends ServiceError {
  readonly retryAfterS: number;

  constructor(retryAfterS: number) {
    super("too_many_requests", `Too many requests: try again in ${retryAfterS} s`);
    this.name = "TooManyRequests";
    this.retryAfterS = retryAfterS;
  }
}

export interface RateLimiter {
  /** @throws TooManyRequests when `subject` has used up the limit. */
  check(limit: RateLimit, subject: string): void;
  /** Counts one use. */
  count(limit: RateLimit, subject: string): void;
}

export interface RateLimiterOptions {
  readonly clock: Clock;
  readonly background: Background;
  readonly counters: Pick<RecordStore, "addToCounter">;
}

interface Window {
  readonly endsAtMs: number;
  /** What all processes had counted when ours were last added. */
  shared: number;
  /** What we have counted since. */
  own: number;
  isSharing: boolean;
}

/** Counts are shared when they amount to this part of the limit. */
const SHARED_PART = 10;
/** Above this many subjects, those that have been known for longest are forgotten. */
const MAX_SUBJECTS = 100_000;

export function createRateLimiter({ clock, background, counters }: RateLimiterOptions): RateLimiter {
  const windows = new Map<string, Window>();

  /** The running window of a subject. Windows of one limit begin and end at the same times in every process. */
  function windowOf({ name, windowMs }: RateLimit, subject: string): { key: string; window: Window } {
    const nowMs = clock.nowMs();
    const key = `${name}|${subject}`;
    const known = windows.get(key);
    const endsAtMs = (Math.floor(nowMs / windowMs) + 1) * windowMs;
    // another end is that of a window that is over, or that began before the clock was put back
    if (known?.endsAtMs === endsAtMs) return { key, window: known };
    const window: Window = { endsAtMs, shared: 0, own: 0, isSharing: false };
    windows.delete(key); // so that the order of the map is the order of the windows
    windows.set(key, window);
    if (windows.size > MAX_SUBJECTS) forgetOldest();
    return { key, window };
  }

  function forgetOldest(): void {
    const [oldest] = windows.keys();
    if (oldest !== undefined) windows.delete(oldest);
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

  return {
    check(limit, subject) {
      const { window } = windowOf(limit, subject);
      if (window.shared + window.own >= limit.max)
        throw new TooManyRequests(Math.max(1, Math.ceil((window.endsAtMs - clock.nowMs()) / 1000)));
    },

    count(limit, subject) {
      const { key, window } = windowOf(limit, subject);
      window.own += 1;
      if (window.own * SHARED_PART >= limit.max && !window.isSharing)
        void background.run("share rate limit counts", () => share(key, window));
    },
  };
}
