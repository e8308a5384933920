/** A process that is suspended in the middle of a commit, and what others of the same folder do meanwhile. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createSweep } from "../../src/maintenance/sweep.ts";
import { systemRandom } from "../../src/runtime/clock.ts";
import { StorageUnavailable } from "../../src/storage/contract.ts";
import { openLocalRecords } from "../../src/storage/local/records.ts";
import { DRIVERS } from "../drivers.ts";
import { newLocalStorage } from "../support/local-storage.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { replaced } from "../support/store-wrappers.ts";
import { collect, openFixture } from "./fixture.ts";

const HOUR_MS = 60 * 60 * 1000;

/** A store, and another process that has written a row and holds the write lock. */
async function withSuspendedWriter() {
  const storage = await newLocalStorage();
  const store = await openFixture(async () => storage);
  store.clock.set(Date.now()); // blobs are as old as their files say
  const blob = await store.blobs.put("b", [Buffer.from("x")]);
  const other = await store.blobs.put("b", [Buffer.from("y")]);
  store.clock.set(Date.now() + 2 * HOUR_MS); // a sweep leaves blobs alone that are newer than all records
  await store.records.commit({
    backupId: "b",
    expect: "absent",
    next: { blob: other, metadata: {}, versions: [] },
  });
  const writer = new Database(join(storage.dataDir, "records.sqlite"));
  writer.run("BEGIN IMMEDIATE");
  writer.run("UPDATE backups SET revision = 'r', blob_key = ?, blob_size = ?, blob_sha256 = ?", [
    blob.key,
    blob.size,
    blob.sha256,
  ]);
  const { clock } = store;
  const options = { dataDir: storage.dataDir, clock, random: systemRandom, busyTimeoutMs: 20 };
  const records = await openLocalRecords({ ...options, busyTimeoutMs: 20 });
  return {
    clock,
    writer,
    blob,
    records,
    blobs: store.blobs,
    async [Symbol.asyncDispose]() {
      writer.close();
      await records[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

if (DRIVERS.some((driver) => driver.name === "local"))
  describe("while a process is suspended in the middle of a commit", () => {
    test("the backups are not listed: what it will have committed would be missing", async () => {
      await using store = await withSuspendedWriter();
      await expect(collect(store.records.list())).rejects.toBeInstanceOf(StorageUnavailable);
      store.writer.run("COMMIT");
      const listed = await collect(store.records.list());
      expect(listed.map(({ blobs }) => blobs.map(({ key }) => key))).toEqual([[store.blob.key]]);
    });

    test("its blob is not swept, however long that takes", async () => {
      await using store = await withSuspendedWriter();
      const { blobs, clock, blob } = store;
      const records = replaced(store.records, { sweepExpired: async () => 0 }); // waits for the lock, too
      const sweep = createSweep({
        records,
        blobs,
        clock: new SettableClock(clock.nowMs() + 3 * HOUR_MS),
        random: systemRandom,
        restores: async () => [],
      });
      for (let times = 0; times < 3; times++) await sweep().catch((error: unknown) => error);
      expect(await blobs.sizeOf(blob.key)).toBe(blob.size);
      store.writer.run("COMMIT");
      expect((await records.read("b"))?.blob.key).toBe(blob.key);
    });
  });
