/** How long a request may take, where an upload is given the time that a slow link needs. */
import type { Arrival } from "./arrival.ts";

/**
 * The slowest average rate of a client. Of an upload only the time beyond that counts; a slower reader of a large answer
 * is broken off (answers-in-flight.ts).
 */
export const MIN_BYTES_PER_SECOND = 64 * 1024;
/** No upload takes longer, whatever its rate. */
const MAX_UPLOAD_MS = 5 * 60 * 1000;

/**
 * How much time is left to a request that began `elapsedMs` ago.
 *
 * @param upload how its body arrives; `null` for a request that is no upload, all of whose time counts.
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
