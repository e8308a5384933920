/**
 * The file that marks a folder as a copy of a data folder, from before its first blob on. Only a folder with the mark
 * is brought up to date by `backup-data`, which deletes what the source does not have. A service removes the mark
 * before it serves, so that what it stores is not deleted by the next copy.
 *
 * The database of a copy has another mark (marks.ts), with the time of the copy, which remains when only the database is
 * restored.
 */
import { Database } from "bun:sqlite";
import { existsSync } from "node:fs";
import { readdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { syncDirectory } from "../../../runtime/folders.ts";
import { errorCode } from "../../../runtime/system-errors.ts";
import { DATABASE } from "../layout.ts";
import { isBusy } from "../outage.ts";

export const MARK = ".backup-data";

/** The name under which `backup-data` writes a file first. An interrupted one leaves it. */
const PARTIAL = /^records\.sqlite\.[0-9a-f-]{36}$/;
const BUSY_PAUSE_MS = 20;

/** A copy that no service can be started on; the message says why. */
class CopyUnusable extends Error {
  override name = "CopyUnusable";
  readonly code = "COPY_UNUSABLE";
}

export interface LockedMark extends Disposable {
  /** Removes the mark, durably. */
  remove(): Promise<void>;
}

/**
 * Locks a folder that is marked as a copy against `backup-data`, until the result is disposed of; `null` when it is no
 * copy.
 *
 * @param waitMs how long to wait for another process, which may be of the same service and start at the same time.
 * @throws CopyUnusable while a copy is being made there, and when the first one was never completed.
 */
export async function lockCopyMark(dataDir: string, waitMs: number): Promise<LockedMark | null> {
  const path = join(dataDir, MARK);
  const startedMs = performance.now();
  let lock = lockMark(path);
  for (; lock === "busy" && performance.now() - startedMs < waitMs; lock = lockMark(path))
    await after(BUSY_PAUSE_MS);
  if (lock === "missing") return null;
  if (lock === "busy")
    throw new CopyUnusable(`a copy is being made in ${dataDir}: wait for its end, then start the service`);
  try {
    const names = await readdir(dataDir);
    if (!names.includes(DATABASE))
      throw new CopyUnusable(
        `the copy in ${dataDir} was interrupted before it was complete: run backup-data again, or use another copy`,
      );
    for (const name of names) if (PARTIAL.test(name)) await unlink(join(dataDir, name));
  } catch (error) {
    lock.close();
    throw error;
  }
  return {
    async remove() {
      await unlink(path);
      await syncDirectory(dataDir);
    },
    [Symbol.dispose]: () => lock.close(),
  };
}

/**
 * Locks the mark, which is an empty SQLite database: the lock ends with its process. `busy` when another process has
 * it; `missing` when there is no mark and none is to be created.
 */
export function lockMark(path: string, create = false): Database | "busy" | "missing" {
  const lock = openMark(path, create);
  if (lock === null) return "missing";
  try {
    lock.run("BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close(); // it has locked nothing
    if (isBusy(error)) return "busy";
    throw error;
  }
  if (existsSync(path)) return lock;
  lock.close(); // a service has removed it meanwhile
  return "missing";
}

function openMark(path: string, create: boolean): Database | null {
  try {
    return new Database(path, { create, readwrite: true });
  } catch (error) {
    if (errorCode(error) === "SQLITE_CANTOPEN") return null; // removed just now
    throw error;
  }
}
