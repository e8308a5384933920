/** A backup with many deleted states: what maintenance reads of them does not grow with the square of their number. */
import { describe, expect, test } from "bun:test";
import { collectLeftovers } from "../../src/maintenance/leftovers.ts";
import { listedState } from "../../src/maintenance/listed-state.ts";
import { COLLECTED_AFTER_MS } from "../../src/storage/contract.ts";
import { collect, create, type Fixture, openFixture } from "../contract/fixture.ts";
import { DRIVERS } from "../drivers.ts";
import { setAside } from "../support/history.ts";
import { replaced } from "../support/store-wrappers.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

async function createAndDelete({ records, blobs, clock }: Fixture, keepMs: number) {
  const blob = await blobs.put("b1", [Buffer.from("1")]);
  await create(records, "b1", { next: { blob, metadata: {}, versions: [] } });
  return setAside({ records, clock }, "b1", { keepUntilMs: clock.nowMs() + keepMs });
}

for (const { name, environment } of DRIVERS)
  describe(`many deleted states of one backup (${name})`, () => {
    test("are each found with one read", async () => {
      await using store = await openFixture(environment);
      for (let index = 0; index < 45; index++) {
        if (index % 3 > 0) store.clock.advance(1); // some of the same millisecond
        await createAndDelete(store, DAY_MS);
      }
      let reads = 0;
      const records = replaced(store.records, {
        readDeleted(...page) {
          reads += 1;
          return store.records.readDeleted(...page);
        },
      });
      const listed = await collect(records.listDeleted());
      for (const deletion of listed)
        expect((await listedState(records, deletion))?.deletionId).toBe(deletion.kept?.deletionId ?? "");
      expect(reads).toBe(45);

      const [gone] = listed;
      if (!gone?.kept) throw new Error("no state is listed");
      await records.commit({ backupId: "b1", expect: "absent", next: null, forget: [gone.kept] });
      expect(await listedState(records, gone)).toBeNull();
    });

    test("are read once for those that are collected together", async () => {
      await using store = await openFixture(environment);
      for (let index = 0; index < 10; index++) await createAndDelete(store, DAY_MS);
      const stays = await createAndDelete(store, 9 * DAY_MS);
      store.clock.advance(DAY_MS + COLLECTED_AFTER_MS);
      let reads = 0;
      const records = replaced(store.records, {
        read(backupId) {
          reads += 1;
          return store.records.read(backupId);
        },
      });
      expect(await collectLeftovers({ records, blobs: store.blobs })).toBe(10);
      expect(reads).toBe(1);
      expect((await collect(store.blobs.list())).map(({ key }) => key)).toEqual([stays.blob.key]);
    });
  });
