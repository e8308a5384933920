import { closeSync, fsync, openSync } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { promisify } from "node:util";
import { orNullIfMissing } from "./system-errors.ts";

const sync = promisify(fsync);

/**
 * Makes a folder, and those above it that are missing, with mode 0700, so that a power failure cannot take away the
 * folder together with what is in it. A folder that is there already is taken to be durable.
 */
export async function makeFolder(path: string): Promise<void> {
  const folder = resolve(path);
  if ((await orNullIfMissing(stat(folder)))?.isDirectory()) return;
  const parent = dirname(folder);
  await makeFolder(parent);
  const opened = openSync(parent, "r"); // first: where this fails, nothing is made that could be taken for durable
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 }); // another process may be faster
    await sync(opened);
  } finally {
    closeSync(opened);
  }
}

/** Makes renames and new entries of a folder durable. It is opened anew each time: another may stand in its place. */
export async function syncDirectory(path: string): Promise<void> {
  const folder = openSync(path, "r");
  try {
    await sync(folder);
  } finally {
    closeSync(folder);
  }
}
