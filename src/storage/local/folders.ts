import { closeSync, fsync, openSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { promisify } from "node:util";

const sync = promisify(fsync);

/** Makes a folder, and those above it that are missing, with mode 0700: durably, so that nothing in it can go with it. */
export async function makeFolder(path: string): Promise<void> {
  const whole = resolve(path);
  const topmost = await mkdir(whole, { recursive: true, mode: 0o700 });
  if (topmost === undefined) return;
  for (let made = whole; made.length >= topmost.length; made = dirname(made))
    await syncDirectory(dirname(made));
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
