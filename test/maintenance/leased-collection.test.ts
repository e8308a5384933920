import { describe, expect, test } from "bun:test";
import { COLLECT_EVERY_MS, createLeasedCollection } from "../../src/maintenance/leased-collection.ts";
import { systemRandom } from "../../src/runtime/clock.ts";
import { DRIVERS } from "../drivers.ts";
import { SettableClock } from "../support/settable-clock.ts";

for (const driver of DRIVERS)
  describe(`the collection of shared stores (${driver.name})`, () => {
    const open = async (clock: SettableClock) => ({
      ...(await driver.openStores({ clock, random: systemRandom })),
      clock,
      random: systemRandom,
    });

    test("deletes what changes left behind, with its blobs", async () => {
      await using stores = await open(new SettableClock());
      const { records, blobs } = stores;
      const kept = await blobs.put("b", [new Uint8Array(10)]);
      const left = await blobs.put("b", [new Uint8Array(10)]);
      const next = { blob: kept, metadata: {}, versions: [] };
      const collect = { blobs: [left], logIds: [] };
      await records.commit({ backupId: "b", expect: "absent", next, collect });
      const run = createLeasedCollection(stores);
      const backups = driver.name === "aws" ? expect.any(Number) : null;
      expect(await run()).toEqual({ collected: 1, expiredRows: 0, backups });
      expect(await run()).toEqual({ collected: 0, expiredRows: 0, backups });
      expect([await blobs.sizeOf(kept.key), await blobs.sizeOf(left.key)]).toEqual([10, null]);
    });

    test("is done at each interval, by whatever process is left, and on AWS by one", async () => {
      const clock = new SettableClock();
      await using stores = await open(clock);
      const processes = [1, 2, 3].map(() => createLeasedCollection(stores));
      const collecting = async (among: typeof processes) => {
        const results = await Promise.all(among.map((run) => run()));
        return among.filter((_, index) => results[index] !== null);
      };
      const first = await collecting(processes);
      expect(first).toHaveLength(driver.name === "aws" ? 1 : 3);
      clock.advance(COLLECT_EVERY_MS);
      expect(await collecting(processes)).toEqual(first);
      const others = processes.filter((run) => run !== first[0]);
      clock.advance(2 * COLLECT_EVERY_MS);
      expect((await collecting(others)).length).toBeGreaterThan(0);
    });

    test("ends early when the process does", async () => {
      await using stores = await open(new SettableClock());
      const stopping = AbortSignal.abort(new Error("the process ends"));
      await expect(createLeasedCollection(stores)(stopping)).rejects.toThrow("the process ends");
    });
  });
