import { closeSync, fsync, openSync } from "node:fs";
import { mkdir, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { orNullIfMissing } from "./system-errors.ts";

const sync = promisify(fsync);

/** What a test write writes: more than a usual commit, so that the test fails before commits do. */
export const PROBE: Uint8Array = new Uint8Array(64 * 1024);

/**
 * Creates a folder and its missing parents, with mode 0700 and durably: a power failure afterwards does not remove them.
 * An existing folder is assumed to be durable.
 */
export async function makeFolder(path: string): Promise<void> {
  const folder = resolve(path);
  if ((await orNullIfMissing(stat(folder)))?.isDirectory()) return;
  const parent = dirname(folder);
  await makeFolder(parent);
  const opened = openSync(parent, "r"); // before mkdir: a folder whose parent cannot be synced must not exist
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 }); // recursive: another process may have created it
    await sync(opened);
  } finally {
    closeSync(opened);
  }
}

/** Makes renames and new entries of a folder durable. Opens the folder each time, because it may have been replaced. */
export async function syncDirectory(path: string): Promise<void> {
  const folder = openSync(path, "r");
  try {
    await sync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Tests that a folder is writable: creates the file `name`, syncs it and removes it. No other file may have this name. */
export async function requireWritable(folder: string, name: string): Promise<void> {
  const path = join(folder, name);
  try {
    await writeFile(path, PROBE, { flag: "wx", mode: 0o600, flush: true });
  } finally {
    await rm(path, { force: true });
  }
}
