/** Changes that come too late, because the process was suspended before it made them. For drivers. */
import { type Clock, msSince } from "../runtime/clock.ts";
import { type Change, NotCommitted } from "./contract.ts";

/**
 * How long after the writing of its blob began a commit is refused. A blob without a record is deleted after an hour. A
 * long upload (5 minutes), a slow store and repetitions fit in.
 */
export const NEW_BLOB_MAX_AGE_MS = 10 * 60 * 1000;

/**
 * Refuses a change that comes too late: for its blob, or for a nonce to consume that has expired, which would be forgotten
 * at once and could be used again. A driver calls this where it can bound what comes between the call and the commit.
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
