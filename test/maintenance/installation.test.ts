import { describe, expect, test } from "bun:test";
import {
  declareRestored,
  InstallationMismatch,
  joinInstallation,
  markInService,
  requireOneInstallation,
} from "../../src/maintenance/installation.ts";
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import type { InspectableStores } from "../../src/storage/inspection.ts";
import { collect, create, openFixture } from "../contract/fixture.ts";
import { DRIVERS } from "../drivers.ts";
import { setAside } from "../support/history.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { replaced } from "../support/store-wrappers.ts";

const join = (stores: InspectableStores) =>
  joinInstallation(stores, { clock: systemClock, random: systemRandom });
const marksOf = async ({ records, blobs }: InspectableStores) => [
  await records.installationId(),
  await blobs.installationId(),
];

for (const { name, environment } of DRIVERS)
  describe(`an installation on ${name}`, () => {
    test("marks records and blobs alike when it starts, and keeps the mark", async () => {
      await using stores = await openFixture(environment);
      expect(await marksOf(stores)).toEqual([null, null]);
      await join(stores);
      const marks = await marksOf(stores);
      expect(marks).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/), marks[0] ?? null]);
      await join(stores);
      await using again = await stores.openAnother();
      await join(again);
      expect(await marksOf(again)).toEqual(marks);
    });

    test("has a mark that no listing shows and no sweep takes away", async () => {
      await using stores = await openFixture(environment);
      await join(stores);
      const marks = await marksOf(stores);
      expect(await collect(stores.records.list())).toEqual([]);
      expect(await collect(stores.records.listFactors())).toEqual([]);
      expect(await collect(stores.blobs.list())).toEqual([]);
      stores.clock.advance(10 * 365 * 24 * 60 * 60 * 1000);
      await stores.records.sweepExpired();
      expect(await marksOf(stores)).toEqual(marks);
    });

    test("gets one mark, however many processes start at once", async () => {
      await using stores = await openFixture(environment);
      const others = await Promise.all(Array.from({ length: 5 }, () => stores.openAnother()));
      await Promise.all(others.map(join));
      const [ofRecords, ofBlobs] = await marksOf(stores);
      expect(ofRecords).not.toBeNull();
      expect(ofBlobs).toBe(ofRecords);
      for (const other of others) await other[Symbol.asyncDispose]();
    });

    test.each(["nothing", "a blob"])(
      "is joined late, when another process has served and stored %s",
      async (what) => {
        await using stores = await openFixture(environment);
        await using other = await stores.openAnother();
        let isLate = false;
        const blobs = replaced(stores.blobs, {
          async installationId() {
            const read = await stores.blobs.installationId();
            if (isLate) return read;
            isLate = true;
            await join(other);
            await markInService(other, systemClock);
            if (what === "a blob") await other.blobs.put("b1", [Buffer.from("x")]); // of no record yet
            return read;
          },
        });
        await join({ records: stores.records, blobs });
        const [ofRecords, ofBlobs] = await marksOf(stores);
        expect(ofRecords).not.toBeNull();
        expect(ofBlobs).toBe(ofRecords);
      },
    );

    test("is marked where data of a version without marks lies", async () => {
      await using stores = await openFixture(environment);
      const blob = await stores.blobs.put("b1", [Buffer.from("x")]);
      await create(stores.records, "b1", { next: { blob, metadata: {}, versions: [] } });
      await stores.blobs.put("b2", [Buffer.from("of no record")]);
      await join(stores);
      const [ofRecords, ofBlobs] = await marksOf(stores);
      expect(ofRecords).not.toBeNull();
      expect(ofBlobs).toBe(ofRecords);
    });

    test("completes after a crash between the two marks", async () => {
      await using stores = await openFixture(environment);
      const blob = await stores.blobs.put("b1", [Buffer.from("x")]);
      await create(stores.records, "b1", { next: { blob, metadata: {}, versions: [] } });
      const crash = new Error("crash");
      const crashing = replaced(stores.blobs, { markInstallation: () => Promise.reject(crash) });
      await expect(join({ records: stores.records, blobs: crashing })).rejects.toBe(crash);
      const [ofRecords, ofBlobs] = await marksOf(stores);
      expect([ofRecords === null, ofBlobs]).toEqual([false, null]);
      const notListed = replaced(stores.records, {
        async *list() {
          yield* [];
          throw new Error("the role of a service may not list the records");
        },
      });
      await join(name === "aws" ? { records: notListed, blobs: stores.blobs } : stores);
      expect(await marksOf(stores)).toEqual([ofRecords ?? "", ofRecords ?? ""]);
    });

    test("completes after such a crash where deleted backups are all that is kept", async () => {
      await using stores = await openFixture(environment);
      const blob = await stores.blobs.put("b1", [Buffer.from("x")]);
      await create(stores.records, "b1", { next: { blob, metadata: {}, versions: [] } });
      await setAside(stores, "b1");
      await stores.records.markInstallation("i1");
      await join(stores);
      expect(await marksOf(stores)).toEqual(["i1", "i1"]);
    });

    test("refuses records and blobs of two installations, and changes neither", async () => {
      await using first = await openFixture(environment);
      await using second = await openFixture(environment);
      await join(first);
      await join(second);
      const mixed = { records: first.records, blobs: second.blobs };
      const marks = await marksOf(mixed);
      for (const attempt of [
        () => join(mixed),
        () => requireOneInstallation(mixed),
        () => declareRestored(mixed, { clock: first.clock, random: systemRandom }),
      ]) {
        await expect(attempt()).rejects.toBeInstanceOf(InstallationMismatch);
        await expect(attempt()).rejects.toThrow(`the records belong to the installation ${marks[0]}`);
      }
      expect(await marksOf(mixed)).toEqual(marks);
      expect(await mixed.records.restores()).toEqual([]);
    });

    test("refuses records without a mark with the blobs of another installation", async () => {
      await using first = await openFixture(environment);
      await using second = await openFixture(environment);
      await join(first);
      await first.blobs.put("b1", [Buffer.from("x")]);
      const mixed = { records: second.records, blobs: first.blobs };
      await expect(join(mixed)).rejects.toBeInstanceOf(InstallationMismatch);
      await create(second.records, "b2");
      await expect(join(mixed)).rejects.toThrow("bun run doctor --restored");
      await requireOneInstallation(mixed); // inspecting is allowed
      expect(await second.records.installationId()).toBeNull();
    });

    test("refuses blobs without a mark that are not those of its records", async () => {
      await using first = await openFixture(environment);
      await using second = await openFixture(environment);
      await join(first);
      await create(first.records, "b1");
      const mixed = { records: first.records, blobs: second.blobs };
      await second.blobs.put("b2", [Buffer.from("x")]);
      await expect(join(mixed)).rejects.toBeInstanceOf(InstallationMismatch);
      expect(await second.blobs.installationId()).toBeNull();
    });

    test("marks an empty place for blobs, if the records were never in service", async () => {
      await using first = await openFixture(environment);
      await using second = await openFixture(environment);
      await join(first);
      await create(first.records, "b1");
      const mixed = { records: first.records, blobs: second.blobs };
      await join(mixed);
      expect(await second.blobs.installationId()).toBe(await first.records.installationId());
    });

    test("refuses an empty place for blobs once the records were in service", async () => {
      await using first = await openFixture(environment);
      await using second = await openFixture(environment);
      await join(first);
      await markInService(first, first.clock);
      const mixed = { records: first.records, blobs: second.blobs };
      await create(first.records, "b1");
      await expect(join(mixed)).rejects.toThrow("bun run doctor --restored");
      expect(await second.blobs.installationId()).toBeNull();
      await declareRestored(mixed, { clock: first.clock, random: systemRandom });
      await join(mixed);
    });

    test("notes a restore, once, where the records were last in service before the blobs were", async () => {
      await using stores = await openFixture(environment);
      const { records, blobs, clock } = stores;
      const start = () => joinInstallation(stores, { clock, random: systemRandom });
      await start();
      await markInService(stores, clock);
      const copiedAtMs = clock.nowMs();
      clock.advance(60_000);
      await start();
      expect(await records.restores()).toEqual([]); // it was only away for a minute
      await blobs.markSeen(clock.nowMs()); // and the records of that time are lost
      clock.advance(60_000);
      const restoredAtMs = clock.nowMs();
      await start();
      await start();
      expect(await records.restores()).toEqual([{ copiedAtMs, restoredAtMs }]);
      await markInService(stores, clock);
      await start();
      expect(await records.restores()).toHaveLength(1);
    });

    test("tolerates clocks that differ: records remember the latest time, blobs never a later one", async () => {
      await using stores = await openFixture(environment);
      const { records, blobs, clock } = stores;
      await join(stores);
      for (const ms of [clock.nowMs() + 60_000, clock.nowMs()])
        await markInService(stores, new SettableClock(ms));
      expect([await records.lastSeenMs(), await blobs.lastSeenMs()]).toEqual([
        clock.nowMs() + 60_000,
        clock.nowMs(),
      ]);
      await joinInstallation(stores, { clock, random: systemRandom });
      expect(await records.restores()).toEqual([]);
    });

    test("marks restored records when an operator says so, and records how old they are", async () => {
      await using first = await openFixture(environment);
      await using second = await openFixture(environment);
      await join(first);
      await first.blobs.put("b1", [Buffer.from("x")]);
      await create(second.records, "b1");
      const youngestMs = second.clock.nowMs();
      const restored = { records: second.records, blobs: first.blobs };
      const clock = new SettableClock(youngestMs + 5_000);
      await declareRestored(restored, { clock, random: systemRandom });
      await join(restored);
      const once = [{ copiedAtMs: youngestMs, restoredAtMs: youngestMs + 5_000 }];
      expect(await restored.records.restores()).toEqual(once);
      await declareRestored(restored, { clock, random: systemRandom });
      await using again = await second.openAnother();
      expect(await again.records.restores()).toEqual([...once, ...once]);
    });

    test("notes a restore no earlier than the blobs were in service, when a clock is behind", async () => {
      await using stores = await openFixture(environment);
      const { records, blobs, clock } = stores;
      await join(stores);
      await markInService(stores, clock);
      const behind = new SettableClock(clock.nowMs() - 60_000);
      await declareRestored(stores, { clock: behind, random: systemRandom });
      await blobs.markSeen(clock.nowMs() + 1_000);
      await joinInstallation(stores, { clock: behind, random: systemRandom });
      expect((await records.restores()).map(({ restoredAtMs }) => restoredAtMs)).toEqual([
        clock.nowMs(),
        clock.nowMs() + 1_000,
      ]);
    });
  });
