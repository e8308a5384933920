import { describe, expect, test } from "bun:test";
import { COLLECTED_AFTER_MS } from "../../../src/storage/contract.ts";
import { create, deletedOf, kept, openFixture, uuidOf } from "../../contract/fixture.ts";
import { DRIVERS } from "../../drivers.ts";
import { newLocalStorage } from "../../support/local-storage.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

if (DRIVERS.some((driver) => driver.name === "local"))
  describe("deleted backups in records that are restored from a copy", () => {
    /** Two states: the time of one is over when the copy is made, that of the other has an hour left. */
    async function openWithStates() {
      const store = await openFixture(newLocalStorage);
      const { records, clock } = store;
      const copiedAtMs = clock.nowMs() + DAY_MS;
      const states = [0, DAY_MS / 24].map((leftMs) =>
        kept(`${leftMs}`, clock, { deletionId: uuidOf(`${leftMs}`), keepUntilMs: copiedAtMs + leftMs }),
      );
      for (const setAside of states) {
        await create(records, "b1");
        const expected = await records.read("b1");
        if (expected === null) throw new Error("b1 is not stored");
        await records.commit({ backupId: "b1", expect: expected, next: null, setAside });
      }
      const [over, left] = states;
      if (over === undefined || left === undefined) throw new Error("there are two states");
      return { store, copiedAtMs, over, left };
    }

    test("are kept for as long as they were to be when the copy was made", async () => {
      const { store, copiedAtMs, left } = await openWithStates();
      await using _ = store;
      const { records, clock } = store;
      const restoredAtMs = copiedAtMs + 30 * DAY_MS;
      clock.set(restoredAtMs);
      expect(await deletedOf(records, "b1")).toEqual([]);
      await records.noteRestore({ copiedAtMs, restoredAtMs });
      const keepUntilMs = left.keepUntilMs + 30 * DAY_MS;
      expect(await deletedOf(records, "b1")).toEqual([{ ...left, keepUntilMs }]);
      expect(await records.collection.due(10)).toHaveLength(1); // the one whose time was over
      clock.set(keepUntilMs);
      expect(await deletedOf(records, "b1")).toEqual([]);
      clock.set(keepUntilMs + COLLECTED_AFTER_MS - 1);
      expect(await records.collection.due(10)).toHaveLength(1);
      clock.advance(1);
      expect(await records.collection.due(10)).toHaveLength(2);
    });

    test("are kept no longer where the time of the copy is not known, or later than the restore", async () => {
      const { store, copiedAtMs, left } = await openWithStates();
      await using _ = store;
      await store.records.noteRestore({ copiedAtMs: 0, restoredAtMs: copiedAtMs });
      await store.records.noteRestore({ copiedAtMs, restoredAtMs: copiedAtMs - DAY_MS });
      store.clock.set(copiedAtMs);
      expect(await deletedOf(store.records, "b1")).toEqual([left]);
    });
  });
