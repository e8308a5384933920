/** The folder that a data folder is copied to: what may be one, and that only one copy is made there at a time. */
import { Database } from "bun:sqlite";
import { chmod, lstat, readdir, realpath } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { makeFolder } from "../../folders.ts";
import { orNullIfMissing } from "../../system-errors.ts";
import { isBusy } from "./outage.ts";

/** Marks a folder as a copy, from before its first blob on, and is locked while one is made. */
export const MARK = ".backup-data";

/** A folder that cannot be copied to; the message says why. */
class CopyRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CopyRefused";
  }
}

/**
 * Makes the folder, or checks that it is an earlier copy that nobody uses. It is locked until the result is disposed of.
 *
 * @throws CopyRefused
 */
export async function prepareTarget(source: string, target: string): Promise<AsyncDisposable> {
  const [from, to] = [await realpath(source), await resolved(target)];
  if (isWithin(to, from)) throw new CopyRefused(`${target} is inside the data folder that is to be copied`);
  if (isWithin(from, to)) throw new CopyRefused(`the data folder that is to be copied is inside ${target}`);

  await makeFolder(target);
  const names = await readdir(target);
  if (names.length > 0 && !names.includes(MARK))
    throw new CopyRefused(`${target} is not empty, and not an earlier copy`);
  await chmod(target, 0o700);
  const lock = lockMark(join(target, MARK), target);
  try {
    await chmod(join(target, MARK), 0o600);
    if (names.includes("records.sqlite")) requireUnused(join(target, "records.sqlite"), target);
  } catch (error) {
    lock.close();
    throw error;
  }
  return { [Symbol.asyncDispose]: async () => lock.close() };
}

/** SQLite's lock on an empty database: unlike a file that is made and removed it ends with its process. */
function lockMark(path: string, target: string): Database {
  const lock = new Database(path, { create: true, readwrite: true });
  try {
    lock.run("BEGIN EXCLUSIVE");
    return lock;
  } catch (error) {
    lock.close();
    if (!isBusy(error)) throw error;
    throw new CopyRefused(`another copy is being made in ${target}`);
  }
}

/**
 * A copy may have been opened since, by the doctor or as the data folder of a service. Leaving WAL mode is what SQLite
 * refuses while anybody has the file open; it also takes in what is left in the log, which would otherwise be applied
 * to the next copy.
 */
function requireUnused(path: string, target: string): void {
  const database = new Database(path, { readwrite: true });
  try {
    database.run("PRAGMA journal_mode = DELETE");
  } catch (error) {
    if (!isBusy(error)) throw error;
    throw new CopyRefused(`${target} is in use: is a service running on it?`);
  } finally {
    database.close();
  }
}

/** The real path of a folder that may not be there yet. */
async function resolved(path: string): Promise<string> {
  const absolute = resolve(path);
  const found = await orNullIfMissing(lstat(absolute));
  return found === null ? join(await resolved(dirname(absolute)), basename(absolute)) : realpath(absolute);
}

function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === "" || !(way === ".." || way.startsWith("../"));
}
