import type { Nonce } from "../../runtime/nonce.ts";

/** The end of the year 9999: longer than any store of the other service is kept. */
const NEVER_MS = Date.UTC(10_000, 0) - 1;

/**
 * The commit that takes a backup over from the other service consumes this. So an id is taken over once: what was deleted
 * here afterwards does not come back, however much later an import runs or a request asks the other service.
 */
export function importMark(backupId: string): Nonce {
  return { id: `imported|${backupId}`, expiresAtMs: NEVER_MS };
}

/** The time of change of a record that was taken over. Every change by the service stores a later one. */
export const UNCHANGED_HERE_MS = 0;
