import { describe, expect, test } from "bun:test";
import { collectLeftovers } from "../../src/maintenance/leftovers.ts";
import { COLLECTED_AFTER_MS, StorageUnavailable } from "../../src/storage/contract.ts";
import {
  collect,
  create,
  event,
  eventsOf,
  type Fixture,
  type NewStorage,
  openFixture,
  uuidOf,
} from "../contract/fixture.ts";
import { DRIVERS } from "../drivers.ts";
import { addVersion, setAside } from "../support/history.ts";
import { replaced } from "../support/store-wrappers.ts";

const keysOf = async ({ blobs }: Fixture) => (await collect(blobs.list())).map(({ key }) => key).toSorted();

async function createBackup({ records, blobs }: Fixture, backupId: string): Promise<void> {
  const blob = await blobs.put(backupId, [Buffer.from(backupId)]);
  await create(records, backupId, { next: { blob, metadata: {}, versions: [] } });
}

/** A backup with a version, one that is kept beyond its time, one that came back, and what a reset left behind. */
async function openWithLeftovers(newStorage: NewStorage) {
  const store = await openFixture(newStorage);
  const { records, blobs, clock } = store;
  for (const id of ["stays", "over", "back"]) {
    await createBackup(store, id);
    await addVersion(store, id);
  }
  await setAside(store, "over", { logId: uuidOf("over") });
  const state = await setAside(store, "back", { logId: uuidOf("back") });
  await records.commit({ backupId: "back", expect: "absent", next: state, bringBack: state });
  const needed = (await collect(records.list())).flatMap((listed) => listed.blobs.map(({ key }) => key));
  const left = [await blobs.put("reset", [Buffer.from("1")]), await blobs.put("reset", [Buffer.from("2")])];
  const logIds = [uuidOf("reset")];
  const leftovers = { blobs: left, logIds };
  await records.commit({ backupId: "reset", expect: "absent", next: null, collect: leftovers });
  const expiresAtMs = clock.nowMs() * 2;
  const logs = ["over", "back", "reset"].map((log) => event(log, clock, { expiresAtMs }));
  await records.consume([], undefined, logs);
  clock.set(state.keepUntilMs + COLLECTED_AFTER_MS);
  return { store, needed: needed.toSorted() };
}

for (const { name, environment } of DRIVERS)
  describe(`what is left behind (${name})`, () => {
    test("is deleted with its rows and logs, and nothing else is", async () => {
      const opened = await openWithLeftovers(environment);
      await using store = opened.store;
      const { records } = store;
      expect(await collectLeftovers(store)).toBe(3);
      expect(await keysOf(store)).toEqual(opened.needed);
      expect(await collect(records.listDeleted())).toEqual([]);
      expect(await records.collection.due(10)).toEqual([]);
      for (const log of ["over", "reset"]) expect(await eventsOf(records, log)).toEqual([]);
      expect(await eventsOf(records, "back")).toHaveLength(1);
      expect(await collectLeftovers(store)).toBe(0);
    });

    test("is deleted before its time by none", async () => {
      await using store = await openFixture(environment);
      await createBackup(store, "b1");
      const { keepUntilMs, blob } = await setAside(store, "b1");
      for (const atMs of [keepUntilMs - 1, keepUntilMs, keepUntilMs + COLLECTED_AFTER_MS - 1]) {
        store.clock.set(atMs);
        expect(await collectLeftovers(store)).toBe(0);
        expect(await keysOf(store)).toEqual([blob.key]);
      }
    });

    test("is deleted by the next call where a crash has ended one, whatever that was about to do", async () => {
      const crash = new StorageUnavailable("crash");
      for (let crashAt = 0, crashed = true; crashed; crashAt++) {
        const opened = await openWithLeftovers(environment);
        await using store = opened.store;
        let calls = 0;
        const counted = <Parameters extends unknown[], Result>(
          run: (...parameters: Parameters) => Promise<Result>,
        ) => {
          return async (...parameters: Parameters): Promise<Result> => {
            if (calls++ >= crashAt) throw crash;
            return run(...parameters);
          };
        };
        const { collection } = store.records;
        const crashing = {
          records: {
            read: (backupId: string) => store.records.read(backupId),
            readDeleted: (...of: Parameters<typeof store.records.readDeleted>) =>
              store.records.readDeleted(...of),
            collection: {
              ...collection,
              due: (limit: number) => collection.due(limit),
              take: counted((due: Parameters<typeof collection.take>[0]) => collection.take(due)),
              settle: counted((due: Parameters<typeof collection.settle>[0]) => collection.settle(due)),
            },
          },
          blobs: { delete: counted((key: string) => store.blobs.delete(key)) },
        };
        const first = await Promise.allSettled([collectLeftovers(crashing)]);
        crashed = first[0].status === "rejected";
        const referred = (await collect(store.records.listDeleted())).flatMap(({ blobs }) => blobs);
        const left = await keysOf(store);
        for (const key of opened.needed) expect(left).toContain(key);
        for (const key of left)
          if (!opened.needed.includes(key)) expect(referred.map((blob) => blob.key)).toContain(key);
        await collectLeftovers(store);
        expect(await keysOf(store)).toEqual(opened.needed);
        expect(await collect(store.records.listDeleted())).toEqual([]);
      }
    });

    test("is not deleted where the backup or another state of it needs it, as after half a restore", async () => {
      await using store = await openFixture(environment);
      const { records, blobs, clock } = store;
      for (const id of ["stored", "kept", "neither"]) {
        await createBackup(store, id);
        await addVersion(store, id);
        await setAside(store, id);
      }
      const { keepUntilMs } = (await records.readDeleted("stored"))[0] ?? { keepUntilMs: 0 };
      for (const id of ["stored", "kept"]) {
        const [state] = await records.readDeleted(id);
        await records.commit({ backupId: id, expect: "absent", next: state ?? null });
      }
      await setAside(store, "kept", { keepUntilMs: keepUntilMs + COLLECTED_AFTER_MS + 1 });
      clock.set(keepUntilMs + COLLECTED_AFTER_MS);
      expect(await collectLeftovers(store)).toBe(3);
      const left = (await collect(blobs.list())).length;
      expect(left).toBe(4);
      const listed = [...(await collect(records.list())), ...(await collect(records.listDeleted()))];
      const needed = listed.flatMap((each) => each.blobs.map(({ key }) => key));
      expect(await keysOf(store)).toEqual(needed.toSorted());
    });

    test("is deleted although other rows cannot be collected, which are left for a later call", async () => {
      await using store = await openFixture(environment);
      const { records, blobs } = store;
      for (let index = 0; index < 60; index++) {
        store.clock.advance(1);
        const left = [await blobs.put(`b${index}`, [Buffer.from(`${index}`)])];
        const leftovers = { blobs: left, logIds: [] };
        await records.commit({ backupId: `b${index}`, expect: "absent", next: null, collect: leftovers });
      }
      const bad = (await records.collection.due(5)).map(({ id }) => id);
      const failure = new Error("this row cannot be read");
      const { collection } = records;
      const failing = replaced(records, {
        collection: replaced(collection, {
          take: (due) => (bad.includes(due.id) ? Promise.reject(failure) : collection.take(due)),
        }),
      });
      await expect(collectLeftovers({ records: failing, blobs })).rejects.toBe(failure);
      expect((await collection.due(100)).map(({ id }) => id)).toEqual(bad);
      expect(await collectLeftovers(store)).toBe(5);
    });

    test("gives up where a store does not respond", async () => {
      await using store = await openFixture(environment);
      const { records, blobs } = store;
      for (let index = 0; index < 60; index++) {
        const left = [await blobs.put(`b${index}`, [Buffer.from(`${index}`)])];
        const leftovers = { blobs: left, logIds: [] };
        await records.commit({ backupId: `b${index}`, expect: "absent", next: null, collect: leftovers });
      }
      let attempts = 0;
      const outage = new StorageUnavailable("no response");
      const failing = replaced(blobs, {
        delete() {
          attempts += 1;
          return Promise.reject(outage);
        },
      });
      await expect(collectLeftovers({ records, blobs: failing })).rejects.toBe(outage);
      expect(attempts).toBeWithin(1, 40);
      expect(await records.collection.due(100)).toHaveLength(60);
    });

    test("is collected as a whole where there is more than a page of it, by several processes", async () => {
      await using store = await openFixture(environment);
      const { records, blobs } = store;
      for (let index = 0; index < 40; index++) {
        const left = [await blobs.put("b", [Buffer.from(`${index}`)])];
        const leftovers = { blobs: left, logIds: [] };
        await records.commit({ backupId: `b${index}`, expect: "absent", next: null, collect: leftovers });
      }
      await using other = await store.openAnother();
      await Promise.all([collectLeftovers(store), collectLeftovers(other)]);
      expect(await keysOf(store)).toEqual([]);
      expect(await records.collection.due(10)).toEqual([]);
    });

    test("is left for a later call when the process ends", async () => {
      const opened = await openWithLeftovers(environment);
      await using store = opened.store;
      const ending = new AbortController();
      const reason = new Error("the process ends");
      const blobs = replaced(store.blobs, {
        async delete(key) {
          ending.abort(reason);
          await store.blobs.delete(key);
        },
      });
      await expect(collectLeftovers({ ...store, blobs }, ending.signal)).rejects.toBe(reason);
      await expect(collectLeftovers(store, ending.signal)).rejects.toBe(reason);
      expect((await keysOf(store)).length).toBeGreaterThan(opened.needed.length);
      await collectLeftovers(store);
      expect(await keysOf(store)).toEqual(opened.needed);
    });
  });
