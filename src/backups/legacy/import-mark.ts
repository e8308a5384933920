import type { Nonce } from "../../runtime/nonce.ts";

const KEPT_MS = 365 * 24 * 60 * 60 * 1000;

/**
 * The commit that takes a backup over from the other service consumes this. So an id is taken over once: what was deleted
 * here afterwards does not come back with a later import.
 */
export function importMark(backupId: string, nowMs: number): Nonce {
  return { id: `imported|${backupId}`, expiresAtMs: nowMs + KEPT_MS };
}

/** The time of change of a record that was taken over. Every change by the service stores a later one. */
export const UNCHANGED_HERE_MS = 0;
