/** A data folder with stores on it, and a folder for a copy. */
import { Database } from "bun:sqlite";
import { copyFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { BlobRef } from "../../../../src/storage/contract.ts";
import { blobPath } from "../../../../src/storage/local/blobs.ts";
import type { Fixture } from "../../../contract/fixture.ts";
import { newStores } from "../../../maintenance/doctor/examined-stores.ts";
import { newLocalStorage } from "../../../support/local-storage.ts";

export interface Site extends AsyncDisposable {
  readonly stores: Fixture;
  readonly source: string;
  /** It is not there yet. */
  readonly target: string;
}

export async function newSite(): Promise<Site> {
  const storage = await newLocalStorage();
  const stores = await newStores(async () => storage);
  const parent = await mkdtemp(join(tmpdir(), "backup-service-"));
  return {
    stores,
    source: storage.dataDir,
    target: join(parent, "copy"),
    async [Symbol.asyncDispose]() {
      await stores[Symbol.asyncDispose]();
      await rm(parent, { recursive: true });
    },
  };
}

export const blobIn = (folder: string, key: string) => blobPath(join(folder, "blobs"), key);

/** Makes the folder of a ciphertext that is not there yet; returns its path. */
export async function placeFor(folder: string, key: string): Promise<string> {
  const path = blobIn(folder, key);
  await mkdir(dirname(path), { recursive: true });
  return path;
}

/**
 * Stores backups, or new contents of them, at once as another process would: all with the bytes of `like`, each with a key
 * of the folder that it is in.
 */
export function storeCopiesOf({ source }: Site, like: BlobRef, ids: readonly string[]): void {
  using database = new Database(join(source, "records.sqlite"));
  const row = database.query(
    `INSERT INTO backups VALUES (?, 'r', ?, ?, ?, '{}', 7, '[]')
     ON CONFLICT (backup_id) DO UPDATE SET blob_key = excluded.blob_key`,
  );
  database.transaction(() => {
    for (const id of ids) {
      const key = `${like.key.slice(0, 2)}${crypto.randomUUID().slice(2)}`;
      copyFileSync(blobIn(source, like.key), blobIn(source, key));
      row.run(id, key, like.size, like.sha256);
    }
  })();
}

/** The ids of the backups in a folder, sorted. */
export function backupsIn(folder: string): string[] {
  using database = new Database(join(folder, "records.sqlite"), { readonly: true });
  const rows = database.query<{ id: string }, []>("SELECT backup_id AS id FROM backups ORDER BY id").all();
  return rows.map(({ id }) => id);
}
