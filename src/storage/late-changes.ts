/** For drivers: refuses commits that come too late because the process was suspended before them. */
import { type Clock, msSince } from "../runtime/clock.ts";
import { type Change, NotCommitted } from "./contract.ts";

/**
 * A commit is refused if the writing of its blob began longer ago than this. An unreferenced blob is deleted after an
 * hour; an upload takes 5 minutes at most, and a slow store and retries need time.
 */
export const NEW_BLOB_MAX_AGE_MS = 10 * 60 * 1000;

/**
 * Refuses a change whose blob may have been deleted as unreferenced, or whose nonce has expired and could be used
 * again. A driver calls this where the time from the call to the commit is bounded.
 *
 * @throws NotCommitted
 */
export function requireInTime(
  { newBlobSince, consume = [] }: Pick<Change, "newBlobSince" | "consume">,
  clock: Clock,
): void {
  if (newBlobSince !== undefined && msSince(newBlobSince, clock) > NEW_BLOB_MAX_AGE_MS)
    throw new NotCommitted("the change comes too late: its blob may have been deleted as unreferenced");
  if (consume.some(({ expiresAtMs }) => expiresAtMs <= clock.nowMs()))
    throw new NotCommitted("the change comes too late: a nonce has expired");
}
