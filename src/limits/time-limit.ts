/** How long a request may take. An upload may take the time that a slow link needs. */
import type { Clock } from "../runtime/clock.ts";
import type { Arrival } from "./arrival.ts";

/**
 * The minimum average rate of a client. Of an upload, only the time beyond that of this rate counts; a client that reads a
 * large response more slowly is disconnected (responses-in-flight.ts).
 */
export const MIN_BYTES_PER_SECOND = 64 * 1024;
/** No upload takes longer, whatever its rate. */
export const MAX_UPLOAD_MS = 5 * 60 * 1000;
/** The longest time between two checks of a request. */
const MAX_CHECK_MS = 1_000;

interface TimeLimitOptions {
  readonly timeoutMs: number;
  readonly clock: Pick<Clock, "elapsedMs">;
  /** How the body of an upload arrives; `null` for any other request. */
  readonly upload: () => Arrival | null;
  readonly onLate: () => void;
}

/** Starts the time limit of a request. The returned function ends it. */
export function startTimeLimit({ timeoutMs, clock, upload, onLate }: TimeLimitOptions): () => void {
  const startedMs = clock.elapsedMs();
  const check = () => {
    const leftMs = remainingMs(clock.elapsedMs() - startedMs, timeoutMs, upload());
    if (leftMs <= 0) onLate();
    else timer = setTimeout(check, Math.min(MAX_CHECK_MS, Math.max(1, leftMs)));
  };
  let timer = setTimeout(check, Math.min(MAX_CHECK_MS, timeoutMs));
  return () => clearTimeout(timer);
}

/**
 * How much time is left to a request that began `elapsedMs` ago.
 *
 * @param upload how the body of an upload arrives; `null` for any other request, whose time counts in full.
 */
export function remainingMs(
  elapsedMs: number,
  timeoutMs: number,
  upload: Pick<Arrival, "bytes" | "waitedMs"> | null,
): number {
  if (upload === null) return timeoutMs - elapsedMs;
  const uncountedMs = Math.min(upload.waitedMs, (upload.bytes / MIN_BYTES_PER_SECOND) * 1000);
  return Math.min(timeoutMs - (elapsedMs - uncountedMs), MAX_UPLOAD_MS - elapsedMs);
}
