/** When an event is delivered again: after 5 s, then after twice the pause before, up to an hour, for three days. */
import type { QueuedEvent } from "../storage/outbox.ts";

const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 60 * 60 * 1000;
/** Each pause is up to a fifth shorter or longer, so that events that failed together do not come again together. */
const JITTER = 0.2;
const TRIED_FOR_MS = 3 * 24 * 60 * 60 * 1000;
/** An event may be old at its first attempt, because no process was running. */
const LEAST_ATTEMPTS = 8;

/**
 * The time of the attempt after the one that begins now. The last one is at the end of the three days.
 *
 * @param fraction random, from 0 to 1.
 */
export function nextAttemptMs({ attempts, event }: QueuedEvent, nowMs: number, fraction: number): number {
  const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** attempts, LONGEST_PAUSE_MS);
  const nextMs = nowMs + pauseMs * (1 + JITTER * (2 * fraction - 1));
  const endMs = event.atMs + TRIED_FOR_MS;
  return Math.round(nextMs > endMs && endMs - nowMs > FIRST_PAUSE_MS ? endMs : nextMs);
}

/** Whether an event whose last attempt failed is not delivered again. */
export function isGivenUp({ attempts, event }: QueuedEvent, nowMs: number): boolean {
  return attempts >= LEAST_ATTEMPTS && nowMs - event.atMs >= TRIED_FOR_MS;
}
