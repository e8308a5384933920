import { expect, test } from "bun:test";
import { COLLECTED_AFTER_MS } from "../../../src/storage/contract.ts";
import { atOnce, collect, create, kept, openFixture, record } from "../../contract/fixture.ts";
import { DRIVERS } from "../../drivers.ts";

/** More than two pages of the list. */
const COLLECTIONS = 1_001;

const local = DRIVERS.find(({ name }) => name === "local");
if (local !== undefined) {
  test("what is to be deleted is listed over more than one page", async () => {
    await using store = await openFixture(local.environment);
    const { records } = store;
    await atOnce(COLLECTIONS, (index) =>
      create(records, `b${index}`, { collect: { blobs: [record(`old ${index}`).blob], logIds: [] } }),
    );
    const listed = (await collect(records.listDeleted())).map(({ backupId }) => backupId);
    expect(listed).toHaveLength(COLLECTIONS);
    expect(new Set(listed).size).toBe(COLLECTIONS);
  });

  test("deleted states are listed over more than one page", async () => {
    await using store = await openFixture(local.environment);
    const { records, clock } = store;
    await atOnce(COLLECTIONS, async (index) => {
      const backupId = `b${index}`;
      const revision = await create(records, backupId);
      const setAside = kept(backupId, clock);
      await records.commit({ backupId, expect: { revision }, next: null, setAside });
    });
    const listed = (await collect(records.listDeleted())).map(({ backupId }) => backupId);
    expect(listed).toHaveLength(COLLECTIONS);
    expect(new Set(listed).size).toBe(COLLECTIONS);
  });

  test("of a state that was brought back nothing is to be deleted when its time is over", async () => {
    await using store = await openFixture(local.environment);
    const { records, clock } = store;
    const revision = await create(records, "b1");
    const setAside = kept("b1", clock);
    await records.commit({ backupId: "b1", expect: { revision }, next: null, setAside });
    await create(records, "b1", { bringBack: setAside });
    clock.set(setAside.keepUntilMs + COLLECTED_AFTER_MS);
    const [due, ...others] = await records.collection.due(10);
    if (due === undefined) throw new Error("the deletion left nothing that is due");
    expect(others).toEqual([]);
    expect(await records.collection.take(due)).toEqual([]);
    expect(await collect(records.listDeleted())).toEqual([]);
  });
}
