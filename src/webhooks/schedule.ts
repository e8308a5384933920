/** When an event is delivered again: after 5 s at first, after an hour in the end, for three days. */
import type { QueuedEvent } from "../storage/outbox.ts";

const SHORTEST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 60 * 60 * 1000;
/** Each pause is up to a fifth shorter or longer, so that events that failed together do not come again together. */
const JITTER = 0.2;
const TRIED_FOR_MS = 3 * 24 * 60 * 60 * 1000;
/** An event may be old at its first attempt, because no process was running. So many claims take hours. */
const LEAST_CLAIMS = 16;

/**
 * The time of the attempt after the one that begins now. The pause is as long as the event is old, so it doubles each time.
 * It is at most 5 s, doubled for each earlier attempt: an old event that no process has attempted is repeated as soon as a
 * new one. The last attempt is at the end of the three days.
 *
 * @param fraction random, from 0 to 1.
 */
export function nextAttemptMs({ attempts, event }: QueuedEvent, nowMs: number, fraction: number): number {
  const ageMs = Math.max(nowMs - event.atMs, SHORTEST_PAUSE_MS);
  const pauseMs = Math.min(ageMs, SHORTEST_PAUSE_MS * 2 ** attempts, LONGEST_PAUSE_MS);
  const nextMs = nowMs + jittered(pauseMs, fraction);
  const endMs = event.atMs + TRIED_FOR_MS;
  return Math.round(nextMs > endMs && endMs - nowMs > SHORTEST_PAUSE_MS ? endMs : nextMs);
}

/** Until when a delivery that is still running is claimed again: if its process crashes, the next attempt is soon. */
export function renewalMs(nowMs: number, fraction: number): number {
  return Math.round(nowMs + jittered(SHORTEST_PAUSE_MS, fraction));
}

/** Whether an event whose last attempt failed is not delivered again. */
export function isGivenUp({ attempts, event }: QueuedEvent, nowMs: number): boolean {
  return attempts >= LEAST_CLAIMS && nowMs - event.atMs >= TRIED_FOR_MS;
}

function jittered(ms: number, fraction: number): number {
  return ms * (1 + JITTER * (2 * fraction - 1));
}
