/** The doctor while a service runs: what changes during the examination is not reported as broken, and a late repair does no harm. */
import { describe, expect, test } from "bun:test";
import type { Examination } from "../../../src/maintenance/doctor/examination.ts";
import { StorageUnavailable } from "../../../src/storage/contract.ts";
import type { InspectableBlobs, InspectableRecords } from "../../../src/storage/inspection.ts";
import { backupOf, collect, type Fixture } from "../../contract/fixture.ts";
import { DRIVERS } from "../../drivers.ts";
import { replaced } from "../../support/store-wrappers.ts";
import {
  dropRecord,
  examined,
  kindsOf,
  letAge,
  mainRef,
  metadataOf,
  newStores,
  storeBackup,
  syncRef,
} from "./examined-stores.ts";

/** The same storage; the doctor sees stores with some methods in the test's own way. */
function seenThrough(
  stores: Fixture,
  records: Partial<InspectableRecords>,
  blobs: Partial<InspectableBlobs> = {},
): Pick<Examination, "records" | "blobs" | "clock"> {
  return {
    clock: stores.clock,
    records: replaced(stores.records, records),
    blobs: replaced(stores.blobs, blobs),
  };
}

/** The same blobs, and how many of them were read at once at most. */
function countingReads({ blobs }: Fixture) {
  let open = 0;
  const counted = { most: 0 };
  const get: InspectableBlobs["get"] = async (ref) => {
    counted.most = Math.max(counted.most, ++open);
    const content = Buffer.concat(await Array.fromAsync((await blobs.get(ref)) ?? []));
    open--;
    return new Blob([content]).stream();
  };
  return { counted, get };
}

/** Puts a sync factor on a backup, or takes it off, each as the service would, and one at a time. */
function toggling({ records }: Fixture, backupId: string): () => Promise<void> {
  const factor = syncRef("extra");
  let last = Promise.resolve();
  return () => {
    last = last.then(toggle);
    return last;
  };

  async function toggle(): Promise<void> {
    const stored = await records.read(backupId);
    if (stored === null) throw new Error("the backup is missing");
    const { revision, blob } = stored;
    const listed = (await backupOf(records, factor)) !== null;
    const syncFactors = [`${backupId} sync`, ...(listed ? [] : ["extra"])];
    const metadata = metadataOf(backupId, { factors: [`${backupId} main`], syncFactors });
    const rows = listed ? { release: [factor] } : { claim: [factor] };
    const outcome = await records.commit({
      backupId,
      expect: { revision },
      next: { blob, metadata, versions: [] },
      ...rows,
    });
    expect(outcome).toBe("committed");
  }
}

for (const { name, environment } of DRIVERS)
  describe(`the doctor on ${name}, during changes`, () => {
    test("is not misled by listings that are out of date", async () => {
      await using stores = await newStores(environment);
      await storeBackup(stores, "b1");
      const { blob } = await storeBackup(stores, "b2");
      const rows = await collect(stores.records.listFactors());
      const listed = await collect(stores.records.list());
      const revision = (await stores.records.read("b2"))?.revision ?? "";
      const release = [mainRef("b2 main"), syncRef("b2 sync")];
      await stores.records.commit({ backupId: "b2", expect: { revision }, next: null, release });
      await stores.blobs.delete(blob.key);

      const stale = seenThrough(stores, {
        listFactors: () => stream(rows),
        list: () => stream(listed),
      });
      expect((await examined(stale, { verify: true })).findings).toEqual([]);
    });

    test("does not report a backup as missing when two reads find none, as while it is deleted and created again", async () => {
      await using stores = await newStores(environment);
      await storeBackup(stores, "b");
      let reads = 0;
      const seldom = seenThrough(stores, {
        list: () => stream([]),
        async read(backupId) {
          reads += 1;
          return reads <= 5 ? null : stores.records.read(backupId);
        },
      });
      expect((await examined(seldom, {})).findings).toEqual([]);
      expect(reads).toBeGreaterThan(5);
    });

    test("reads fewer blobs at once than one client may transfer, so that none has to wait for a permit", async () => {
      await using stores = await newStores(environment);
      for (let index = 0; index < 20; index++) await storeBackup(stores, `b${index}`);
      const { counted, get } = countingReads(stores);
      const { findings, counts } = await examined(seenThrough(stores, {}, { get }), { verify: true });
      expect({ findings, verified: counts.verifiedBlobs }).toEqual({ findings: [], verified: 20 });
      expect(counted.most).toBeLessThanOrEqual(4);
    });

    test("does not delete a ciphertext that became current after the records were listed", async () => {
      await using stores = await newStores(environment);
      await storeBackup(stores, "b1");
      const before = await collect(stores.records.list());
      const { blob } = await storeBackup(stores, "b2");
      await letAge(stores);
      let lists = 0;
      const stale = seenThrough(stores, {
        list: () => (lists++ === 0 ? stream(before) : stores.records.list()),
      });
      expect((await examined(stale, { repair: true })).findings).toEqual([]);
      expect(await stores.blobs.sizeOf(blob.key)).toBe(blob.size);
    });

    test("deletes no ciphertext that becomes current during its pause, as where the clocks were wrong", async () => {
      await using stores = await newStores(environment);
      for (const backupId of ["b1", "b2"]) await storeBackup(stores, backupId);
      const [waiting, abandoned] = [
        await stores.blobs.put("b1", [new Uint8Array(5)]),
        await stores.blobs.put("b2", [new Uint8Array(5)]),
      ];
      await letAge(stores);
      const pause = async () => {
        const { revision = "", metadata = {} } = (await stores.records.read("b1")) ?? {};
        await stores.records.commit({
          backupId: "b1",
          expect: { revision },
          next: { blob: waiting, metadata, versions: [] },
        });
      };
      const { findings } = await examined(stores, { repair: true, pause });
      expect(findings.map(({ blobKey }) => blobKey)).toEqual([abandoned.key]);
      expect(await stores.blobs.sizeOf(waiting.key)).toBe(5);
      expect(await stores.blobs.sizeOf(abandoned.key)).toBeNull();
    });

    for (const changes of [1, 2, 3, 4, 5])
      test(`reports nothing of a backup that changes ${changes} times during the examination`, async () => {
        await using stores = await newStores(environment);
        await storeBackup(stores, "b1");
        const toggle = toggling(stores, "b1");
        let left = changes;
        const changing = seenThrough(stores, {
          async locate(factor, oneTime) {
            if (left-- > 0) await toggle();
            return stores.records.locate(factor, oneTime);
          },
        });
        const { findings, counts } = await examined(changing, { repair: true });
        expect(findings).toEqual([]);
        expect(counts.busyBackups).toBe(0);
        expect((await examined(stores)).findings).toEqual([]);
      });

    test("counts a backup that changes all the time, and reports nothing about it", async () => {
      await using stores = await newStores(environment);
      await storeBackup(stores, "b1");
      const toggle = toggling(stores, "b1");
      const changing = seenThrough(stores, {
        async read(backupId) {
          const stored = await stores.records.read(backupId);
          await toggle();
          return stored;
        },
        locate: async () => ({ backupId: null, consumed: false }),
      });
      for (const repair of [false, true]) {
        const { findings, counts } = await examined(changing, { repair });
        expect(findings).toEqual([]);
        expect(counts.busyBackups).toBe(1);
      }
    });

    test("releases no row that a new backup of the same name has claimed meanwhile", async () => {
      await using stores = await newStores(environment);
      const metadata = metadataOf("b1", { factors: ["b1 main"] });
      await storeBackup(stores, "b1", { metadata, claim: [mainRef("b1 main")] });
      await dropRecord(stores, "b1");
      let commits = 0;
      const late = seenThrough(stores, {
        async commit(change) {
          // the row is of a backup that is created again just before it is to be released
          if (commits++ === 0) await storeBackup(stores, "b1", { metadata, claim: [] });
          return stores.records.commit(change);
        },
      });
      expect((await examined(late, { repair: true })).findings).toEqual([]);
      expect(commits).toBeGreaterThan(0);
      expect(await backupOf(stores.records, mainRef("b1 main"))).toBe("b1");
      expect((await examined(stores)).findings).toEqual([]);
    });

    test("reports a missing row as another backup's when that one was faster", async () => {
      await using stores = await newStores(environment);
      await storeBackup(stores, "b1", { claim: [syncRef("b1 sync")] });
      let commits = 0;
      const late = seenThrough(stores, {
        async commit(change) {
          if (commits++ === 0)
            await storeBackup(stores, "b2", {
              metadata: metadataOf("b2", { factors: ["b1 main"] }),
              claim: [mainRef("b1 main")],
            });
          return stores.records.commit(change);
        },
      });
      expect(kindsOf((await examined(late, { repair: true })).findings)).toEqual(["row-of-another-backup"]);
      expect(await backupOf(stores.records, mainRef("b1 main"))).toBe("b2");
    });

    for (const method of ["read", "locate", "sizeOf"] as const)
      test(`ends when a store does not answer (${method})`, async () => {
        await using stores = await newStores(environment);
        for (let index = 0; index < 40; index++) await storeBackup(stores, `b${index}`);
        const failing = async () => {
          throw new StorageUnavailable("it does not answer");
        };
        const broken =
          method === "sizeOf"
            ? seenThrough(stores, {}, { sizeOf: failing })
            : seenThrough(stores, { [method]: failing });
        await expect(examined(broken)).rejects.toBeInstanceOf(StorageUnavailable);
      });
  });

async function* stream<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}
