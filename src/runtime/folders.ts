import { closeSync, fsync, openSync } from "node:fs";
import { mkdir, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { orNullIfMissing } from "./system-errors.ts";

const sync = promisify(fsync);

/** What shows whether a disk takes a write: more than the commit of a usual change needs, so that a full disk shows. */
export const PROBE: Uint8Array = new Uint8Array(64 * 1024);

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

/** Makes renames and new entries of a folder durable. It is opened each time: another may have taken its place. */
export async function syncDirectory(path: string): Promise<void> {
  const folder = openSync(path, "r");
  try {
    await sync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Resolves when a folder takes a new file, durably. It is removed again; nothing else may have that name. */
export async function requireWritable(folder: string, name: string): Promise<void> {
  const path = join(folder, name);
  try {
    await writeFile(path, PROBE, { flag: "wx", mode: 0o600, flush: true });
  } finally {
    await rm(path, { force: true });
  }
}
