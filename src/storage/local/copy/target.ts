/** Checks and locks the folder that a data folder is copied to. */
import { Database } from "bun:sqlite";
import { existsSync } from "node:fs";
import { chmod, lstat, readdir, realpath } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { makeFolder } from "../../../runtime/folders.ts";
import { orNullIfMissing } from "../../../runtime/system-errors.ts";
import { installationIdAt } from "../installation-file.ts";
import { BLOBS, DATABASE } from "../layout.ts";
import { copiedAtMsOf, installationIdOf, lastSeenMsOf, nextShareOf } from "../marks.ts";
import { FIRST_MARKED_SCHEMA, schemaVersion } from "../migrations.ts";
import { isBusy } from "../outage.ts";
import { lockMark, MARK } from "./mark.ts";

/** A folder that cannot be copied to; the message says why. */
class CopyRefused extends Error {
  override name = "CopyRefused";
}

/** A folder to copy to. It is locked until it is disposed of. */
export interface CopyTarget extends Disposable {
  /** Which share of the ciphertexts of earlier copies this copy verifies. */
  readonly nextShare: number;
  /** @throws CopyRefused when a service has been started on the folder since. */
  requireUntouched(): void;
}

/**
 * Creates the folder, or requires that it is an earlier copy of the same installation that no service has used.
 *
 * @throws CopyRefused
 */
export async function prepareTarget(source: string, target: string): Promise<CopyTarget> {
  const [from, to] = [await realpath(source), await resolved(target)];
  if (isWithin(to, from)) throw new CopyRefused(`${target} is inside the data folder that is to be copied`);
  if (isWithin(from, to)) throw new CopyRefused(`the data folder that is to be copied is inside ${target}`);

  await makeFolder(target);
  const isEmpty = (await readdir(target)).length === 0;
  const lock = lockMark(join(target, MARK), isEmpty);
  if (lock === "busy") throw new CopyRefused(`another copy is being made in ${target}`);
  if (lock === "missing")
    throw new CopyRefused(`${target} is not empty, and not an earlier copy${IF_RESTORED}`);
  try {
    await chmod(target, 0o700);
    await chmod(join(target, MARK), 0o600);
    const database = join(target, DATABASE);
    const { nextShare, installationId } = requireCopy(database, target);
    const sourceId = await installationOf(source);
    for (const id of [installationId, await installationIdAt(join(target, BLOBS))])
      if (id !== null && id !== sourceId)
        throw new CopyRefused(`${target} is a copy of another installation; copy to a new folder`);
    return {
      nextShare,
      requireUntouched: () => void requireCopy(database, target),
      [Symbol.dispose]: () => lock.close(),
    };
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** @throws CopyRefused when records and blobs are of different installations, or the blobs are missing. */
async function installationOf(source: string): Promise<string | null> {
  using database = new Database(join(source, DATABASE), { readonly: true });
  const isMarked = schemaVersion(database) >= FIRST_MARKED_SCHEMA;
  const ofRecords = isMarked ? installationIdOf(database) : null;
  const ofBlobs = await installationIdAt(join(source, BLOBS));
  if (ofRecords !== null && ofBlobs !== null && ofRecords !== ofBlobs)
    throw new CopyRefused(`the records in ${source} and the blobs are of two installations`);
  if (isMarked && lastSeenMsOf(database) !== null && ofBlobs === null)
    throw new CopyRefused(
      `the blobs of ${source} are missing: is a disk not mounted? A copy would delete earlier blobs of the same backups`,
    );
  return ofRecords ?? ofBlobs;
}

const IF_RESTORED =
  ": if a service was started on it, it has newer backups, which a copy would delete; copy to a new folder";

/**
 * Requires that a database is of an earlier copy that no service has used, or does not exist. Leaves WAL mode, which
 * SQLite refuses while another process, such as a doctor or a service, has the file open. It also applies the rest of
 * the log, which would otherwise be applied to the next copy.
 *
 * @throws CopyRefused
 */
function requireCopy(
  path: string,
  target: string,
): { readonly nextShare: number; readonly installationId: string | null } {
  const unmarked = { nextShare: 0, installationId: null };
  if (!existsSync(path)) return unmarked; // an interrupted first copy
  using database = new Database(path, { readwrite: true });
  try {
    const isMarked = schemaVersion(database) >= FIRST_MARKED_SCHEMA;
    if (isMarked && copiedAtMsOf(database) === null)
      throw new CopyRefused(`${target} is not a copy any more${IF_RESTORED}`);
    const marks = isMarked
      ? { nextShare: nextShareOf(database), installationId: installationIdOf(database) }
      : unmarked;
    database.run("PRAGMA journal_mode = DELETE");
    return marks;
  } catch (error) {
    if (!isBusy(error)) throw error;
    throw new CopyRefused(`${target} is in use: is a service running on it?`);
  }
}

/** The real path of a folder that may not exist yet. */
async function resolved(path: string): Promise<string> {
  const absolute = resolve(path);
  const found = await orNullIfMissing(lstat(absolute));
  return found === null ? join(await resolved(dirname(absolute)), basename(absolute)) : realpath(absolute);
}

function isWithin(path: string, folder: string): boolean {
  const between = relative(folder, path);
  return !(between === ".." || between.startsWith("../"));
}
