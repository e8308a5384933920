import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLocalBlobs } from "../../src/storage/local/blobs.ts";
import { openLocalRecords } from "../../src/storage/local/records.ts";
import type { StoreOptions, TestStorage } from "../drivers.ts";

/** A storage of the local driver in a folder of its own. */
export async function newLocalStorage(): Promise<TestStorage & { readonly dataDir: string }> {
  const dataDir = await mkdtemp(join(tmpdir(), "backup-service-"));
  return {
    dataDir,
    env: { STORAGE_DRIVER: "local", DATA_DIR: dataDir },

    async open({ clock, random }: StoreOptions) {
      const records = await openLocalRecords({ dataDir, clock, random });
      const blobs = await openLocalBlobs({ dataDir, random });
      return {
        records,
        blobs,
        async [Symbol.asyncDispose]() {
          await records[Symbol.asyncDispose]();
          await blobs[Symbol.asyncDispose]();
        },
      };
    },

    overwriteBlob: (key, content) => writeFile(join(dataDir, "blobs", key.slice(0, 2), key), content),

    [Symbol.asyncDispose]: () => rm(dataDir, { recursive: true, force: true }),
  };
}
