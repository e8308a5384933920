import { describe, expect, test } from "bun:test";
import type { StoredTotals } from "../../src/maintenance/stored-totals.ts";
import { createSweep, type SweptStores } from "../../src/maintenance/sweep.ts";
import { systemRandom } from "../../src/runtime/clock.ts";
import { type BlobRef, blobsOf, COLLECTED_AFTER_MS, type JsonObject } from "../../src/storage/contract.ts";
import type { Restore } from "../../src/storage/inspection.ts";
import { DRIVERS, type Driver } from "../drivers.ts";
import { addVersion, setAside } from "../support/history.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { replaced } from "../support/store-wrappers.ts";
import { touchAnyRecord } from "../support/stored.ts";

const HOUR_MS = 60 * 60 * 1000;

/** Sweeps for the second time: the first only remembers the suspects. */
async function sweep(stores: SweptStores) {
  const run = createSweep(stores);
  await run();
  return run();
}

async function fixture(driver: Driver) {
  const clock = new SettableClock(Date.now()); // blobs are as old as their files say
  const random = systemRandom;
  const { records, blobs, [Symbol.asyncDispose]: dispose } = await driver.openStores({ clock, random });
  return {
    clock,
    random,
    records,
    blobs,
    restores: async (): Promise<readonly Restore[]> => [],
    /** Lets time pass, at the end of which a backup changes: blobs that are younger than every record are left alone. */
    async age(ms: number) {
      clock.advance(ms);
      await touchAnyRecord(records);
    },
    put: (backupId = "b") => blobs.put(backupId, [new Uint8Array(10)]),
    refer: (backupId: string, blob: BlobRef, metadata: JsonObject = {}) =>
      records.commit({ backupId, expect: "absent", next: { blob, metadata, versions: [] } }),
    keys: async () => (await Array.fromAsync(blobs.list())).map(({ key }) => key).toSorted(),
    [Symbol.asyncDispose]: dispose,
  };
}

for (const driver of DRIVERS)
  describe(`the sweep (${driver.name})`, () => {
    test("collects blobs that no record refers to once they are an hour old", async () => {
      await using stores = await fixture(driver);
      const [current, abandoned] = [await stores.put(), await stores.put()];
      await stores.refer("b", current);
      expect((await sweep(stores)).unreferencedBlobs).toBe(0);
      await stores.age(HOUR_MS / 2);
      expect((await sweep(stores)).unreferencedBlobs).toBe(0);
      expect(await stores.keys()).toEqual([current.key, abandoned.key].toSorted());
      await stores.age(HOUR_MS);
      expect((await sweep(stores)).unreferencedBlobs).toBe(1);
      expect(await stores.keys()).toEqual([current.key]);
      expect(await sweep(stores)).toEqual({
        expiredRows: 0,
        collected: 0,
        unreferencedBlobs: 0,
        suspects: 0,
        leftAlone: 0,
        refusal: null,
      });
    });

    test("deletes a blob only when it finds it unreferenced again, whatever the clock did meanwhile", async () => {
      await using stores = await fixture(driver);
      const [current, waiting] = [await stores.put(), await stores.put()];
      await stores.put();
      for (const backupId of ["a", "b"]) await stores.refer(backupId, current);
      const run = createSweep(stores);
      await stores.age(24 * HOUR_MS); // the machine slept while a request was about to commit
      expect(await run()).toMatchObject({ unreferencedBlobs: 0, suspects: 2 });
      await stores.refer("late", waiting);
      expect(await run()).toMatchObject({ unreferencedBlobs: 1, suspects: 0 });
      expect(await stores.keys()).toEqual([current.key, waiting.key].toSorted());
      expect((await run()).unreferencedBlobs).toBe(0);
    });

    test("leaves a blob alone that is referred to while it works", async () => {
      await using stores = await fixture(driver);
      const blob = await stores.put();
      await stores.age(2 * HOUR_MS);
      const { blobs } = stores;
      const late = replaced(blobs, {
        async *list(isSkipped?: (key: string) => boolean) {
          yield* blobs.list(isSkipped);
          await stores.refer("late", blob);
        },
      });
      expect((await sweep({ ...stores, blobs: late })).unreferencedBlobs).toBe(0);
      expect(await stores.keys()).toEqual([blob.key]);
    });

    test("leaves all blobs alone when the records are lost", async () => {
      await using stores = await fixture(driver);
      const blob = await stores.put();
      await stores.age(2 * HOUR_MS);
      expect(await sweep(stores)).toMatchObject({
        unreferencedBlobs: 1,
        refusal: "they outnumber the 0 backups",
      });
      expect(await stores.keys()).toEqual([blob.key]);
    });

    test("leaves alone what is younger than every record, until a record changes an hour later", async () => {
      await using stores = await fixture(driver);
      const current = await stores.put();
      await stores.refer("b", current);
      const orphan = await stores.put();
      stores.clock.advance(24 * HOUR_MS);
      expect(await sweep(stores)).toMatchObject({ unreferencedBlobs: 0, suspects: 0, leftAlone: 1 });
      expect(await stores.keys()).toEqual([current.key, orphan.key].toSorted());
      await stores.age(0);
      expect(await sweep(stores)).toMatchObject({ unreferencedBlobs: 1, leftAlone: 0 });
      expect(await stores.keys()).toEqual([current.key]);
    });

    test("never deletes what was stored between a copy of the records and its restore", async () => {
      await using stores = await fixture(driver);
      const current = await stores.put();
      await stores.refer("b", current);
      const copiedAtMs = stores.clock.nowMs() + HOUR_MS / 2;
      const lost = await stores.put(); // before the copy, and its commit after it
      const restores = async () => [{ copiedAtMs, restoredAtMs: copiedAtMs + HOUR_MS }];
      await stores.age(48 * HOUR_MS);
      expect(await sweep({ ...stores, restores })).toMatchObject({ unreferencedBlobs: 0, leftAlone: 1 });
      expect(await stores.keys()).toEqual([current.key, lost.key].toSorted());
      expect(await sweep(stores)).toMatchObject({ unreferencedBlobs: 1, leftAlone: 0 });
    });

    test("remembers a bounded number of blobs, and comes to the others later", async () => {
      await using stores = await fixture(driver);
      const current = await stores.put();
      await stores.refer("b", current);
      await stores.age(2 * HOUR_MS);
      const storedAtMs = stores.clock.nowMs() - 2 * HOUR_MS;
      const orphans = new Set(Array.from({ length: 25_000 }, (_, index) => `b/blobs/orphan ${index}`));
      const [record] = await Array.fromAsync(stores.records.list());
      const { records, blobs } = stores;
      const many = {
        ...stores,
        blobs: replaced(blobs, {
          async *list() {
            for (const key of orphans) yield { key, size: 1, storedAtMs, backupId: "b" };
          },
          sizeOf: async () => 1,
          delete: async (key) => void orphans.delete(key),
        }),
        records: replaced(records, {
          async *list() {
            if (record === undefined) throw new Error("no record");
            for (let index = 0; index < 30_000; index++) yield record;
          },
        }),
      };
      const run = createSweep(many);
      expect(await run()).toMatchObject({ unreferencedBlobs: 0, suspects: 10_000 });
      for (const left of [15_000, 5_000, 0]) {
        const { suspects } = await run();
        expect(suspects).toBe(Math.min(left, 10_000));
        expect(orphans.size).toBe(left);
      }
    });

    if (driver.name === "aws")
      test("leaves alone blobs of a backup that has no record, which may be another installation's", async () => {
        await using stores = await fixture(driver);
        const current = await stores.put();
        await stores.refer("b", current);
        const theirs = await stores.blobs.put("theirs", [new Uint8Array(1)]);
        await stores.age(2 * HOUR_MS);
        expect(await sweep(stores)).toMatchObject({ unreferencedBlobs: 0, leftAlone: 1 });
        expect(await stores.keys()).toEqual([current.key, theirs.key].toSorted());
      });

    test("does not remember what it refuses to delete", async () => {
      await using stores = await fixture(driver);
      const blob = await stores.put();
      await stores.age(2 * HOUR_MS);
      const run = createSweep(stores);
      expect(await run()).toMatchObject({ suspects: 0, refusal: "they outnumber the 0 backups" });
      const current = await stores.put();
      await stores.refer("b", current);
      expect(await run()).toMatchObject({ unreferencedBlobs: 0, suspects: 1, refusal: null });
      expect(await stores.keys()).toEqual([blob.key, current.key].toSorted());
    });

    test("leaves all blobs alone when some that are needed are missing, as with an older database", async () => {
      await using stores = await fixture(driver);
      const [current, newer] = [await stores.put(), await stores.put()];
      await stores.refer("b", current);
      await stores.blobs.delete(current.key);
      await stores.age(2 * HOUR_MS);
      expect((await sweep(stores)).refusal).toBe("the blobs of 1 backups are missing");
      expect(await stores.keys()).toEqual([newer.key]);
    });

    test("leaves all blobs alone while there is metadata of a newer version, which may refer to them", async () => {
      await using stores = await fixture(driver);
      const [current, older] = [await stores.put(), await stores.put()];
      await stores.refer("b", current, { schemaVersion: 99, versions: [{ key: older.key }] });
      await stores.age(2 * HOUR_MS);
      for (let call = 0; call < 3; call++)
        expect((await sweep(stores)).refusal).toContain(
          "a newer version of the service stored 1 of the backups",
        );
      expect((await stores.keys()).toSorted()).toEqual([current.key, older.key].toSorted());
    });

    test("keeps the blobs of versions and of deleted backups until they are collected", async () => {
      await using stores = await fixture(driver);
      for (const id of ["a", "b"]) {
        await stores.refer(id, await stores.put(id));
        await addVersion(stores, id);
      }
      const state = await setAside(stores, "b");
      const abandoned = await stores.put("a");
      const needed = (await stores.keys()).filter((key) => key !== abandoned.key);
      await stores.age(2 * HOUR_MS);
      expect(await sweep(stores)).toMatchObject({ unreferencedBlobs: 1, collected: 0, refusal: null });
      expect(await stores.keys()).toEqual(needed);
      stores.clock.set(state.keepUntilMs + COLLECTED_AFTER_MS);
      expect(await createSweep(stores)()).toMatchObject({ unreferencedBlobs: 0, collected: 1 });
      const deleted = blobsOf(state).map(({ key }) => key);
      expect(await stores.keys()).toEqual(needed.filter((key) => !deleted.includes(key)));
    });

    test("leaves all blobs alone when those of versions or of deleted backups are missing", async () => {
      await using stores = await fixture(driver);
      for (const id of ["a", "b"]) await stores.refer(id, await stores.put(id));
      await stores.blobs.delete((await addVersion(stores, "a")).key);
      const state = await setAside(stores, "b");
      await stores.blobs.delete(state.blob.key);
      const abandoned = await stores.put("a");
      await stores.age(2 * HOUR_MS);
      expect((await sweep(stores)).refusal).toBe("the blobs of 2 backups are missing");
      expect(await stores.keys()).toContain(abandoned.key);
    });

    test("leaves all blobs alone while a deleted state is of a newer version", async () => {
      await using stores = await fixture(driver);
      for (const id of ["a", "b"]) await stores.refer(id, await stores.put(id));
      await setAside(stores, "b", { metadata: { schemaVersion: 99 } });
      await stores.put("a");
      const keys = await stores.keys();
      await stores.age(2 * HOUR_MS);
      expect((await sweep(stores)).refusal).toContain("a newer version of the service stored 1 of the");
      expect(await stores.keys()).toEqual(keys);
    });

    test("does not take a blob for unreferenced that moves between a backup and its deleted state", async () => {
      await using stores = await fixture(driver);
      await stores.refer("other", await stores.put());
      await stores.refer("b", await stores.put());
      const state = await setAside(stores, "b");
      await stores.age(2 * HOUR_MS);
      const { records } = stores;
      const back = { backupId: "b", expect: "absent", next: state, bringBack: state } as const;
      let listings = 0;
      const moving = replaced(records, {
        async *list() {
          listings += 1;
          if (listings === 2) await setAside(stores, "b"); // when the suspects are compared once more
          yield* await Array.fromAsync(records.list());
          if (listings === 1) await records.commit(back); // after the records, before the deleted states
        },
      });
      expect(await createSweep({ ...stores, records: moving })()).toMatchObject({
        suspects: 0,
        leftAlone: 0,
      });
      expect(listings).toBe(2);
      expect(await stores.keys()).toContain(state.blob.key);
    });

    test("is not misled by a sync that replaces a blob between the listing and the check", async () => {
      await using stores = await fixture(driver);
      const [first, second, abandoned] = [await stores.put(), await stores.put(), await stores.put()];
      await stores.refer("b", first);
      await stores.age(2 * HOUR_MS);
      const { blobs, records } = stores;
      const stale = replaced(records, {
        async *list() {
          const listed = await Array.fromAsync(records.list());
          const revision = (await records.read("b"))?.revision ?? "";
          await records.commit({
            backupId: "b",
            expect: { revision },
            next: { blob: second, metadata: {}, versions: [] },
          });
          await blobs.delete(first.key);
          yield* listed;
        },
      });
      const afterListing = replaced(blobs, {
        async *list(isSkipped?: (key: string) => boolean) {
          for await (const blob of blobs.list(isSkipped)) if (blob.key === abandoned.key) yield blob;
        },
      });
      expect((await sweep({ ...stores, records: stale, blobs: afterListing })).refusal).toBeNull();
      expect(await stores.keys()).toEqual([second.key]);
    });

    test("keeps the blobs of many backups", async () => {
      await using stores = await fixture(driver);
      const kept: string[] = [];
      for (let index = 0; index < 30; index++) {
        const blob = await stores.put(`b${index}`);
        kept.push(blob.key);
        await stores.refer(`b${index}`, blob);
        await stores.put(`b${index}`);
      }
      await stores.age(2 * HOUR_MS);
      expect((await sweep(stores)).unreferencedBlobs).toBe(30);
      expect(await stores.keys()).toEqual(kept.toSorted());
    });

    test("collects expired rows, and a value that is not expired stays consumed", async () => {
      await using stores = await fixture(driver);
      const { records, clock } = stores;
      const short = { id: "short", expiresAtMs: clock.nowMs() + 1_000 };
      const long = { id: "long", expiresAtMs: clock.nowMs() + HOUR_MS };
      expect(await records.consume([short])).not.toBeNull();
      expect(await records.consume([long])).not.toBeNull();
      clock.advance(2_000);
      const { expiredRows } = await createSweep(stores)();
      expect(expiredRows).toBe(driver.name === "local" ? 1 : 0); // the other store expires rows by itself
      expect(await records.consume([long])).toBeNull();
    });

    test("fails as a whole when the records cannot be listed, and deletes nothing", async () => {
      await using stores = await fixture(driver);
      const blob = await stores.put();
      await stores.age(2 * HOUR_MS);
      const records = replaced(stores.records, {
        // biome-ignore lint/correctness/useYield: it fails before the first
        async *list() {
          throw new Error("down");
        },
      });
      await expect(sweep({ ...stores, records })).rejects.toThrow("down");
      expect(await stores.keys()).toEqual([blob.key]);
    });

    for (const [when, isAt] of [
      ["it reads the records", "records"],
      ["it reads the blobs", "blobs"],
      ["it deletes", "deletion"],
    ] as const)
      test(`ends early when it is asked to while ${when}, and deletes no more`, async () => {
        await using stores = await fixture(driver);
        await stores.refer("a", await stores.put("a"));
        await stores.refer("b", await stores.put("b"));
        for (const backupId of ["a", "b"]) await stores.put(backupId);
        await stores.age(2 * HOUR_MS);
        const stopping = new AbortController();
        const reason = new Error("the process ends");
        const stopAt = (place: string) => {
          if (place === isAt) stopping.abort(reason);
        };
        async function* passing<T>(place: string, listed: AsyncIterable<T>) {
          for await (const each of listed) {
            stopAt(place);
            yield each;
          }
        }
        const { records, blobs } = stores;
        const run = createSweep({
          ...stores,
          records: replaced(records, { list: () => passing("records", records.list()) }),
          blobs: replaced(blobs, {
            list: (isSkipped) => passing("blobs", blobs.list(isSkipped)),
            async delete(key) {
              await blobs.delete(key);
              stopAt("deletion");
            },
          }),
        });
        if (isAt === "deletion") await run(); // takes note
        await expect(run(stopping.signal)).rejects.toBe(reason);
        expect(await stores.keys()).toHaveLength(isAt === "deletion" ? 3 : 4);
      });

    test("counts backups, deleted ones and their bytes on its way", async () => {
      await using stores = await fixture(driver);
      for (const backupId of ["a", "b", "c"]) await stores.refer(backupId, await stores.put(backupId));
      await addVersion(stores, "a");
      await addVersion(stores, "b");
      await setAside(stores, "b");
      await setAside(stores, "c", { keepUntilMs: stores.clock.nowMs() - COLLECTED_AFTER_MS });
      const counted: StoredTotals[] = [];
      await createSweep({ ...stores, onCounted: (stored) => counted.push({ ...stored }) })();
      expect(counted).toEqual([
        { backups: 1, contentBytes: 300, versionBytes: 10, deletedBackups: 1, deletedBytes: 310 },
      ]);
    });
  });
