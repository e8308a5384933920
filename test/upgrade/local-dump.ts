/** A data folder of the embedded driver, as text. */
import { Database } from "bun:sqlite";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";

export interface LocalDump {
  readonly driver: "local";
  /** The content of each file in base64, by its path in the folder. */
  readonly files: Readonly<Record<string, string>>;
}

/** No process may have it open. The log of the database, which is most of the bytes, is merged into it first. */
export async function dumpFolder(folder: string): Promise<LocalDump> {
  const database = new Database(join(folder, "records.sqlite"), { readwrite: true });
  database.run("PRAGMA wal_checkpoint(TRUNCATE)");
  database.close(true);
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const paths = entries
    .filter((entry) => entry.isFile() && !/-(?:wal|shm)$/.test(entry.name))
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)))
    .toSorted();
  const files: Record<string, string> = {};
  for (const path of paths) files[path] = await readFile(join(folder, path), "base64");
  return { driver: "local", files };
}

export async function loadFolder({ files }: LocalDump, folder: string): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true, mode: 0o700 });
    await writeFile(join(folder, path), content, { encoding: "base64", mode: 0o600 });
  }
}
