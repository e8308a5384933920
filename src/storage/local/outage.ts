import { errorCode } from "../../runtime/system-errors.ts";
import { NotCommitted, StorageUnavailable } from "../contract.ts";

/** SQLite's codes when the file cannot be read or written now. Other codes mean a wrong statement. */
const OUTAGE_CODES = /^SQLITE_(BUSY|LOCKED|IOERR|FULL|CANTOPEN|READONLY|NOMEM|PROTOCOL)/;

/**
 * The codes after which a transaction has certainly changed nothing. After an I/O error at its end, SQLite may find it
 * in the log when it opens the database again.
 */
const UNCHANGED_CODES = /^SQLITE_(BUSY|LOCKED|FULL|CANTOPEN|READONLY)/;

/** Whether the file system or another process is the reason. */
export function isOutage(error: unknown): boolean {
  return OUTAGE_CODES.test(sqliteCode(error));
}

/** Whether another process holds the write lock. */
export function isBusy(error: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED)/.test(sqliteCode(error));
}

/** The error that the contract has for a failed read. */
function asOutage(error: unknown): unknown {
  return isOutage(error)
    ? new StorageUnavailable("the database cannot be used now", { cause: error })
    : error;
}

/** Runs a query. @throws StorageUnavailable when the file system or another process is the reason. */
export function query<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw asOutage(error);
  }
}

/** The error that the contract has for a failed write. */
export function asFailedWrite(error: unknown): unknown {
  return UNCHANGED_CODES.test(sqliteCode(error))
    ? new NotCommitted("the database cannot be written now", { cause: error })
    : asOutage(error);
}

function sqliteCode(error: unknown): string {
  for (let current = error; current instanceof Error; current = current.cause) {
    const code = errorCode(current);
    if (code !== null) return code;
  }
  return "";
}
