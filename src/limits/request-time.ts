/** How long a request may take. An upload may take the time that a slow link needs. */
import type { Arrival } from "./arrival.ts";

/**
 * The minimum average rate of a client. Only the upload time beyond that counts; a client that reads a large response more
 * slowly is disconnected (answers-in-flight.ts).
 */
export const MIN_BYTES_PER_SECOND = 64 * 1024;
/** No upload takes longer, whatever its rate. */
const MAX_UPLOAD_MS = 5 * 60 * 1000;

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
