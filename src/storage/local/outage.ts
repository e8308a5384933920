import { errorCode } from "../../system-errors.ts";
import { StorageUnavailable } from "../contract.ts";

/** What SQLite reports when the file cannot be read or written now, as opposed to a wrong statement. */
const OUTAGE_CODES = /^SQLITE_(BUSY|LOCKED|IOERR|FULL|CANTOPEN|READONLY|NOMEM|PROTOCOL)/;

/** Whether the file system or another process is what stood in the way. */
export function isOutage(error: unknown): boolean {
  return OUTAGE_CODES.test(sqliteCode(error));
}

/** Whether another process holds the write lock. */
export function isBusy(error: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED)/.test(sqliteCode(error));
}

/** The error as the callers of a store know it. */
export function asOutage(error: unknown): unknown {
  return isOutage(error)
    ? new StorageUnavailable("the database cannot be used now", { cause: error })
    : error;
}

function sqliteCode(error: unknown): string {
  for (let current = error; current instanceof Error; current = current.cause) {
    const code = errorCode(current);
    if (code?.startsWith("SQLITE_")) return code;
  }
  return "";
}
