import type { Change } from "../storage/contract.ts";

/**
 * A blob this young may belong to an operation that has not committed yet. Stores refuse a commit to a blob long before
 * that age ({@link Change.newBlobSince}), so also a process that was suspended does not commit to one that is deleted.
 */
export const UNREFERENCED_AFTER_MS = 60 * 60 * 1000;
