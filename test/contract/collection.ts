import { expect, test } from "bun:test";
import { type BlobRef, COLLECTED_AFTER_MS, type DeletedBackup } from "../../src/storage/contract.ts";
import type { DueCollection } from "../../src/storage/inspection.ts";
import {
  atOnce,
  collect,
  create,
  deletedOf,
  event,
  eventsOf,
  type Fixture,
  kept,
  labelOf,
  MINUTE_MS,
  type NewStorage,
  openFixture,
  record,
  uuidOf,
  version,
} from "./fixture.ts";

const HOUR_MS = 60 * 60 * 1000;

/** What changes leave behind: due at its time, taken so that nothing refers to it any more, and settled. */
export function collectionContract(newStorage: NewStorage): void {
  async function deleted({ records, clock }: Fixture, change: Partial<DeletedBackup> = {}) {
    const setAside = kept("b1", clock, { logId: uuidOf("log"), versions: [version("v")], ...change });
    const revision = await create(records, "b1", { events: [event("log", clock)] });
    await records.commit({ backupId: "b1", expect: { revision }, next: null, setAside });
    return setAside;
  }

  async function onlyDue({ records }: Fixture): Promise<DueCollection> {
    const [due, ...more] = await records.collection.due(10);
    expect(more).toEqual([]);
    if (due === undefined) throw new Error("nothing is due");
    return due;
  }

  const inOrder = (blobs: readonly BlobRef[]) => blobs.toSorted((a, b) => a.key.localeCompare(b.key));

  test("what a change leaves behind is due at once, listed until it is settled, and its logs go", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const events = [event("one", clock), event("two", clock), event("kept", clock)];
    const blobs = [record("x").blob, record("y").blob];
    const logIds = [uuidOf("one"), uuidOf("two")];
    await create(records, "b1", { events, collect: { blobs, logIds } });
    const due = await onlyDue(store);
    expect(due).toMatchObject({ backupId: "b1", dueMs: clock.nowMs() });
    const listed = await collect(records.listDeleted());
    expect(listed).toMatchObject([{ backupId: "b1", kept: null }]);
    expect(inOrder(listed[0]?.blobs ?? [])).toEqual(inOrder(blobs));

    expect(inOrder(await records.collection.take(due))).toEqual(inOrder(blobs));
    expect(await eventsOf(records, "one")).toEqual([]);
    expect(await eventsOf(records, "two")).toEqual([]);
    expect(await eventsOf(records, "kept")).toHaveLength(1);
    expect(await collect(records.listDeleted())).toHaveLength(1);
    await records.collection.settle(due);
    expect(await records.collection.due(10)).toEqual([]);
    expect(await collect(records.listDeleted())).toEqual([]);
    expect(await records.collection.take(due)).toEqual([]);
    await records.collection.settle(due);
  });

  test("a log of more events than a transaction holds goes as a whole", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    for (let batch = 0; batch < 4; batch++) {
      const events = Array.from({ length: 40 }, (_, index) =>
        event("log", clock, { atMs: clock.nowMs() - 40 * batch - index }),
      );
      await records.consume([], undefined, events);
    }
    await create(records, "b1", { collect: { blobs: [], logIds: [uuidOf("log")] } });
    expect(await records.collection.take(await onlyDue(store))).toEqual([]);
    expect(await eventsOf(records, "log")).toEqual([]);
  });

  test("what a change leaves is not due before the time that the change says", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const notBeforeMs = clock.nowMs() + 1_000;
    await create(records, "b1", { collect: { blobs: [], logIds: [uuidOf("log")], notBeforeMs } });
    clock.set(notBeforeMs - 1);
    expect(await records.collection.due(10)).toEqual([]);
    clock.advance(1);
    expect(await onlyDue(store)).toMatchObject({ backupId: "b1", dueMs: notBeforeMs });
  });

  test("a deleted state is due an hour after it can be brought back no longer, and goes with its log", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const state = await deleted(store);
    clock.set(state.keepUntilMs + HOUR_MS - 1);
    expect(await records.collection.due(10)).toEqual([]);
    clock.advance(1);
    const due = await onlyDue(store);
    expect(due).toMatchObject({ backupId: "b1", dueMs: clock.nowMs() });
    const blobs = inOrder([state.blob, version("v").blob]);
    expect(inOrder(await records.collection.take(due))).toEqual(blobs);
    const listed = await collect(records.listDeleted());
    expect(listed).toMatchObject([{ backupId: "b1", kept: null }]);
    expect(inOrder(listed[0]?.blobs ?? [])).toEqual(blobs);
    const forget = { backupId: "b1", expect: "absent", next: null, forget: [state] } as const;
    expect(await records.commit(forget)).toBe("not-kept");
    clock.set(state.deletedAtMs); // before any of it has expired
    expect(await eventsOf(records, "log")).toEqual([]);
    expect(await deletedOf(records, "b1")).toEqual([]);
    clock.set(state.keepUntilMs + COLLECTED_AFTER_MS);

    await using other = await store.openAnother(); // as after a crash
    expect(inOrder(await other.records.collection.take(await onlyDue(store)))).toEqual(blobs);
    await other.records.collection.settle(due);
    expect(await collect(records.listDeleted())).toEqual([]);
    expect(await records.collection.due(10)).toEqual([]);
  });

  test("a state that was not taken stays when its collection is settled", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const state = await deleted(store);
    clock.set(state.keepUntilMs + COLLECTED_AFTER_MS);
    await records.collection.settle(await onlyDue(store));
    clock.set(state.deletedAtMs);
    expect(await deletedOf(records, "b1")).toEqual([state]);
  });

  test("nothing is collected of a state that was brought back", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const state = await deleted(store, { keepUntilMs: clock.nowMs() + 1_000 });
    await create(records, "b1", { next: record("back"), bringBack: state });
    clock.set(state.keepUntilMs + COLLECTED_AFTER_MS);
    for (const due of await records.collection.due(10)) {
      expect(await records.collection.take(due)).toEqual([]);
      await records.collection.settle(due);
    }
    expect(await labelOf(records, "b1")).toBe("back");
    expect(await eventsOf(records, "log")).toHaveLength(1);
    expect(await records.collection.due(10)).toEqual([]);
  });

  test("what is collected of a state that was forgotten is up to the change that forgets it", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const state = await deleted(store, { keepUntilMs: clock.nowMs() + 1_000 });
    const blobs = [state.blob];
    await records.commit({
      backupId: "b1",
      expect: "absent",
      next: null,
      forget: [state],
      collect: { blobs, logIds: [] },
    });
    const now = await onlyDue(store);
    expect(await records.collection.take(now)).toEqual(blobs);
    await records.collection.settle(now);
    clock.set(state.keepUntilMs + COLLECTED_AFTER_MS);
    for (const due of await records.collection.due(10)) {
      expect(await records.collection.take(due)).toEqual([]);
      await records.collection.settle(due);
    }
    expect(await records.collection.due(10)).toEqual([]);
  });

  test("a state is either brought back or collected, however wrong a clock is", async () => {
    for (let round = 0; round < 5; round++) {
      await using store = await openFixture(newStorage);
      const { records, clock } = store;
      const state = await deleted(store);
      clock.set(state.keepUntilMs + COLLECTED_AFTER_MS);
      const due = await onlyDue(store);
      clock.set(state.deletedAtMs);
      await using other = await store.openAnother();
      const takers = Array.from({ length: round }, () => () => records.collection.take(due));
      const bringBack = { backupId: "b1", expect: "absent", next: record("back"), bringBack: state } as const;
      const [outcome, ...taken] = await Promise.all([
        other.records.commit(bringBack),
        records.collection.take(due),
        ...takers.map((take) => take()),
      ]);
      const expected = outcome === "committed" ? [] : inOrder([state.blob, version("v").blob]);
      for (const blobs of taken) expect(inOrder(blobs)).toEqual(expected);
      expect(["committed", "not-kept"]).toContain(outcome);
      expect(await eventsOf(records, "log")).toHaveLength(outcome === "committed" ? 1 : 0);
    }
  });

  test("a process that has the lease extends it; once it is over, another may take it", async () => {
    await using store = await openFixture(newStorage);
    await using other = await store.openAnother();
    const { clock } = store;
    const leased = (stores: Pick<Fixture, "records">, holder: string) =>
      stores.records.collection.lease(holder, clock.nowMs() + MINUTE_MS);
    const first = await atOnce(20, (index) => leased(index % 2 ? store : other, `process ${index}`));
    expect(first.filter((isHolder) => isHolder).length).toBeGreaterThan(0);
    const holder = `process ${first.indexOf(true)}`;
    clock.advance(MINUTE_MS - 1);
    expect(await leased(other, holder)).toBe(true);
    clock.advance(MINUTE_MS);
    expect(await leased(other, "another")).toBe(true);
  });

  test("the longest due comes first, a few at a time, and several processes may take the same", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    for (const name of ["b1", "b2", "b3"]) {
      clock.advance(1);
      await create(records, name, { collect: { blobs: [record(name).blob], logIds: [] } });
    }
    const due = await records.collection.due(2);
    expect(due.map(({ backupId }) => backupId)).toEqual(["b1", "b2"]);
    const first = due[0];
    if (first === undefined) return;
    await using other = await store.openAnother();
    const taken = await atOnce(20, (index) => (index % 2 ? records : other.records).collection.take(first));
    for (const blobs of taken) expect(blobs).toEqual([record("b1").blob]);
    await records.collection.settle(first);
    expect((await records.collection.due(10)).map(({ backupId }) => backupId)).toEqual(["b2", "b3"]);
  });
}
