/** The files in the folder `blobs` with the installation's id and when it was last in service. */
import { link, readFile, rename, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { syncDirectory } from "../../runtime/folders.ts";
import { errorCode, orNullIfMissing } from "../../runtime/system-errors.ts";

const FILE = "installation";
const LAST_SEEN = "last-seen";

/** @param root the folder `blobs` of a data folder. `null` when it has no mark. */
export async function installationIdAt(root: string): Promise<string | null> {
  return (await orNullIfMissing(readFile(join(root, FILE), "utf8")))?.trim() ?? null;
}

/**
 * Marks the folder, durably, unless it has a mark. A complete file is linked to the name, which fails where another
 * process was first.
 *
 * @param temporary a new name in the same file system.
 * @returns the id in the folder's mark.
 */
export async function writeInstallationId(root: string, id: string, temporary: string): Promise<string> {
  await writeFile(temporary, `${id}\n`, { flag: "wx", mode: 0o600, flush: true });
  try {
    await link(temporary, join(root, FILE));
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
  } finally {
    await unlink(temporary);
  }
  await syncDirectory(root);
  return (await installationIdAt(root)) ?? id;
}

/** @returns `null` where there is no such file, or no time in it. */
export async function lastSeenMsAt(root: string): Promise<number | null> {
  const text = await orNullIfMissing(readFile(join(root, LAST_SEEN), "utf8"));
  const nowMs = Number(text ?? Number.NaN);
  return Number.isFinite(nowMs) ? nowMs : null;
}

/** @param temporary a new name in the same file system. */
export async function writeLastSeen(root: string, nowMs: number, temporary: string): Promise<void> {
  await writeFile(temporary, `${nowMs}\n`, { flag: "wx", mode: 0o600, flush: true });
  await rename(temporary, join(root, LAST_SEEN));
  await syncDirectory(root);
}
