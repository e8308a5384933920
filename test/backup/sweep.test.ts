import { describe, expect, test } from "bun:test";
import { createSweep, type SweptStores } from "../../src/backup/sweep.ts";
import { systemRandom } from "../../src/clock.ts";
import type { BlobRef } from "../../src/storage/contract.ts";
import { DRIVERS, type Driver } from "../drivers.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { replaced } from "../support/store-wrappers.ts";

const HOUR_MS = 60 * 60 * 1000;

/** Sweeps for the second time: the first only takes note. */
async function sweep(stores: SweptStores) {
  const run = createSweep(stores);
  await run();
  return run();
}

async function fixture(driver: Driver) {
  const clock = new SettableClock(Date.now()); // blobs are as old as their files say
  const {
    records,
    blobs,
    [Symbol.asyncDispose]: dispose,
  } = await driver.openStores({ clock, random: systemRandom });
  return {
    clock,
    records,
    blobs,
    put: () => blobs.put("b", [new Uint8Array(10)]),
    refer: (backupId: string, blob: BlobRef) =>
      records.commit({ backupId, expect: "absent", next: { blob, metadata: {} } }),
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
      stores.clock.advance(HOUR_MS / 2);
      expect((await sweep(stores)).unreferencedBlobs).toBe(0);
      expect(await stores.keys()).toEqual([current.key, abandoned.key].toSorted());
      stores.clock.advance(HOUR_MS);
      expect((await sweep(stores)).unreferencedBlobs).toBe(1);
      expect(await stores.keys()).toEqual([current.key]);
      expect(await sweep(stores)).toEqual({
        expiredRows: 0,
        unreferencedBlobs: 0,
        suspects: 0,
        refusal: null,
      });
    });

    test("deletes a blob only when it finds it unreferenced again, whatever the clock did meanwhile", async () => {
      await using stores = await fixture(driver);
      const [current, waiting] = [await stores.put(), await stores.put()];
      await stores.put();
      for (const backupId of ["a", "b"]) await stores.refer(backupId, current);
      const run = createSweep(stores);
      stores.clock.advance(24 * HOUR_MS); // the machine slept while a request was about to commit
      expect(await run()).toMatchObject({ unreferencedBlobs: 0, suspects: 2 });
      await stores.refer("late", waiting);
      expect(await run()).toMatchObject({ unreferencedBlobs: 1, suspects: 0 });
      expect(await stores.keys()).toEqual([current.key, waiting.key].toSorted());
      expect((await run()).unreferencedBlobs).toBe(0);
    });

    test("leaves a blob alone that is referred to while it works", async () => {
      await using stores = await fixture(driver);
      const blob = await stores.put();
      stores.clock.advance(2 * HOUR_MS);
      const { blobs, records, clock } = stores;
      const late = replaced(blobs, {
        async *list() {
          yield* blobs.list();
          await stores.refer("late", blob);
        },
      });
      expect((await sweep({ records, clock, blobs: late })).unreferencedBlobs).toBe(0);
      expect(await stores.keys()).toEqual([blob.key]);
    });

    test("leaves all blobs alone when the records are gone", async () => {
      await using stores = await fixture(driver);
      const blob = await stores.put();
      stores.clock.advance(2 * HOUR_MS);
      expect(await sweep(stores)).toMatchObject({
        unreferencedBlobs: 1,
        refusal: "they outnumber the 0 backups",
      });
      expect(await stores.keys()).toEqual([blob.key]);
    });

    test("takes no note of what it refuses to delete", async () => {
      await using stores = await fixture(driver);
      const blob = await stores.put();
      stores.clock.advance(2 * HOUR_MS);
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
      stores.clock.advance(2 * HOUR_MS);
      expect((await sweep(stores)).refusal).toBe("the current blobs of 1 backups are missing");
      expect(await stores.keys()).toEqual([newer.key]);
    });

    test("is not misled by a sync that replaces a blob between the listing and the look at it", async () => {
      await using stores = await fixture(driver);
      const [first, second, abandoned] = [await stores.put(), await stores.put(), await stores.put()];
      await stores.refer("b", first);
      stores.clock.advance(2 * HOUR_MS);
      const { blobs, records, clock } = stores;
      const stale = replaced(records, {
        async *list() {
          const listed = await Array.fromAsync(records.list());
          const revision = (await records.read("b"))?.revision ?? "";
          await records.commit({ backupId: "b", expect: { revision }, next: { blob: second, metadata: {} } });
          await blobs.delete(first.key);
          yield* listed;
        },
      });
      const afterListing = replaced(blobs, {
        async *list() {
          for await (const blob of blobs.list()) if (blob.key === abandoned.key) yield blob;
        },
      });
      expect((await sweep({ records: stale, blobs: afterListing, clock })).refusal).toBeNull();
      expect(await stores.keys()).toEqual([second.key]);
    });

    test("keeps the blobs of many backups", async () => {
      await using stores = await fixture(driver);
      const kept: string[] = [];
      for (let index = 0; index < 30; index++) {
        const blob = await stores.put();
        kept.push(blob.key);
        await stores.refer(`b${index}`, blob);
        await stores.put();
      }
      stores.clock.advance(2 * HOUR_MS);
      expect((await sweep(stores)).unreferencedBlobs).toBe(30);
      expect(await stores.keys()).toEqual(kept.toSorted());
    });

    test("collects expired rows, and a value that is not expired stays spent", async () => {
      await using stores = await fixture(driver);
      const { records, clock } = stores;
      const short = { id: "short", expiresAtMs: clock.nowMs() + 1_000 };
      const long = { id: "long", expiresAtMs: clock.nowMs() + HOUR_MS };
      expect(await records.spend([short])).toBe(true);
      expect(await records.spend([long])).toBe(true);
      clock.advance(2_000);
      const { expiredRows } = await createSweep(stores)();
      expect(expiredRows).toBe(driver.name === "local" ? 1 : 0); // the other store expires rows by itself
      expect(await records.spend([long])).toBe(false);
    });

    test("fails as a whole when the records cannot be listed, and deletes nothing", async () => {
      await using stores = await fixture(driver);
      const blob = await stores.put();
      stores.clock.advance(2 * HOUR_MS);
      const { blobs, clock } = stores;
      const records = replaced(stores.records, {
        // biome-ignore lint/correctness/useYield: it fails before the first
        async *list() {
          throw new Error("down");
        },
      });
      await expect(sweep({ records, blobs, clock })).rejects.toThrow("down");
      expect(await stores.keys()).toEqual([blob.key]);
    });
  });
