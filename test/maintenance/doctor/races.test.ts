/** The doctor beside a service: what changes while it looks is not taken for broken, and a late repair does no harm. */
import { describe, expect, test } from "bun:test";
import type { Examination } from "../../../src/maintenance/doctor/examination.ts";
import type { BlobStore, RecordStore } from "../../../src/storage/contract.ts";
import { StorageUnavailable } from "../../../src/storage/contract.ts";
import { backupOf, collect } from "../../contract/fixture.ts";
import { DRIVERS } from "../../drivers.ts";
import { replaced } from "../../support/store-wrappers.ts";
import {
  dropRecord,
  examined,
  kindsOf,
  letAge,
  mainRef,
  metadataOf,
  newPatient,
  type Patient,
  storeBackup,
  syncRef,
} from "./patient.ts";

/** The same patient; the doctor sees stores with some methods in the test's own way. */
function seenThrough(
  patient: Patient,
  records: Partial<RecordStore>,
  blobs: Partial<BlobStore> = {},
): Pick<Examination, "records" | "blobs" | "clock"> {
  return {
    clock: patient.clock,
    records: replaced(patient.records, records),
    blobs: replaced(patient.blobs, blobs),
  };
}

/** Puts a sync factor on a backup, or takes it off, each as the service would, and one at a time. */
function toggling({ records }: Patient, backupId: string): () => Promise<void> {
  const factor = syncRef("extra");
  let last = Promise.resolve();
  return () => {
    last = last.then(toggle);
    return last;
  };

  async function toggle(): Promise<void> {
    const stored = await records.read(backupId);
    if (stored === null) throw new Error("the backup is gone");
    const { revision, blob } = stored;
    const listed = (await backupOf(records, factor)) !== null;
    const syncFactors = [`${backupId} sync`, ...(listed ? [] : ["extra"])];
    const metadata = metadataOf(backupId, { factors: [`${backupId} main`], syncFactors });
    const rows = listed ? { release: [factor] } : { claim: [factor] };
    const outcome = await records.commit({
      backupId,
      expect: { revision },
      next: { blob, metadata },
      ...rows,
    });
    expect(outcome).toBe("committed");
  }
}

for (const { name, environment } of DRIVERS)
  describe(`the doctor on ${name}, beside changes`, () => {
    test("is not misled by listings that are out of date", async () => {
      await using patient = await newPatient(environment);
      await storeBackup(patient, "b1");
      const { blob } = await storeBackup(patient, "b2");
      const rows = await collect(patient.records.listFactors());
      const listed = await collect(patient.records.list());
      const revision = (await patient.records.read("b2"))?.revision ?? "";
      const release = [mainRef("b2 main"), syncRef("b2 sync")];
      await patient.records.commit({ backupId: "b2", expect: { revision }, next: null, release });
      await patient.blobs.delete(blob.key);

      const stale = seenThrough(patient, {
        listFactors: () => stream(rows),
        list: () => stream(listed),
      });
      expect((await examined(stale, { drill: true })).findings).toEqual([]);
    });

    test("does not take a backup for gone that it finds none of twice, as while one is deleted and made anew", async () => {
      await using patient = await newPatient(environment);
      await storeBackup(patient, "b");
      let reads = 0;
      const seldom = seenThrough(patient, {
        list: () => stream([]),
        async read(backupId) {
          reads += 1;
          return reads <= 5 ? null : patient.records.read(backupId);
        },
      });
      expect((await examined(seldom, {})).findings).toEqual([]);
      expect(reads).toBeGreaterThan(5);
    });

    test("does not delete a ciphertext that became current after the records were listed", async () => {
      await using patient = await newPatient(environment);
      await storeBackup(patient, "b1");
      const before = await collect(patient.records.list());
      const { blob } = await storeBackup(patient, "b2");
      await letAge(patient);
      let lists = 0;
      const stale = seenThrough(patient, {
        list: () => (lists++ === 0 ? stream(before) : patient.records.list()),
      });
      expect((await examined(stale, { repair: true })).findings).toEqual([]);
      expect(await patient.blobs.sizeOf(blob.key)).toBe(blob.size);
    });

    test("deletes no ciphertext that becomes current while it rests, as where the clocks were wrong", async () => {
      await using patient = await newPatient(environment);
      for (const backupId of ["b1", "b2"]) await storeBackup(patient, backupId);
      const [waiting, abandoned] = [
        await patient.blobs.put("b1", [new Uint8Array(5)]),
        await patient.blobs.put("b2", [new Uint8Array(5)]),
      ];
      await letAge(patient);
      const rest = async () => {
        const { revision = "", metadata = {} } = (await patient.records.read("b1")) ?? {};
        await patient.records.commit({
          backupId: "b1",
          expect: { revision },
          next: { blob: waiting, metadata },
        });
      };
      const { findings } = await examined(patient, { repair: true, rest });
      expect(findings.map(({ blobKey }) => blobKey)).toEqual([abandoned.key]);
      expect(await patient.blobs.sizeOf(waiting.key)).toBe(5);
      expect(await patient.blobs.sizeOf(abandoned.key)).toBeNull();
    });

    for (const changes of [1, 2, 3, 4, 5])
      test(`reports nothing of a backup that changes ${changes} times while it looks`, async () => {
        await using patient = await newPatient(environment);
        await storeBackup(patient, "b1");
        const toggle = toggling(patient, "b1");
        let left = changes;
        const changing = seenThrough(patient, {
          async locate(factor, oneTime) {
            if (left-- > 0) await toggle();
            return patient.records.locate(factor, oneTime);
          },
        });
        const { findings, counts } = await examined(changing, { repair: true });
        expect(findings).toEqual([]);
        expect(counts.busyBackups).toBe(0);
        expect((await examined(patient)).findings).toEqual([]);
      });

    test("counts a backup that never stands still, and says nothing about it", async () => {
      await using patient = await newPatient(environment);
      await storeBackup(patient, "b1");
      const toggle = toggling(patient, "b1");
      const changing = seenThrough(patient, {
        async read(backupId) {
          const stored = await patient.records.read(backupId);
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
      await using patient = await newPatient(environment);
      const metadata = metadataOf("b1", { factors: ["b1 main"] });
      await storeBackup(patient, "b1", { metadata, claim: [mainRef("b1 main")] });
      await dropRecord(patient, "b1");
      let commits = 0;
      const late = seenThrough(patient, {
        async commit(change) {
          // the row is of a backup that is made anew just before it is to be released
          if (commits++ === 0) await storeBackup(patient, "b1", { metadata, claim: [] });
          return patient.records.commit(change);
        },
      });
      expect((await examined(late, { repair: true })).findings).toEqual([]);
      expect(commits).toBeGreaterThan(0);
      expect(await backupOf(patient.records, mainRef("b1 main"))).toBe("b1");
      expect((await examined(patient)).findings).toEqual([]);
    });

    test("reports a missing row as another backup's when that one was faster", async () => {
      await using patient = await newPatient(environment);
      await storeBackup(patient, "b1", { claim: [syncRef("b1 sync")] });
      let commits = 0;
      const late = seenThrough(patient, {
        async commit(change) {
          if (commits++ === 0)
            await storeBackup(patient, "b2", {
              metadata: metadataOf("b2", { factors: ["b1 main"] }),
              claim: [mainRef("b1 main")],
            });
          return patient.records.commit(change);
        },
      });
      expect(kindsOf((await examined(late, { repair: true })).findings)).toEqual(["row-of-another-backup"]);
      expect(await backupOf(patient.records, mainRef("b1 main"))).toBe("b2");
    });

    for (const method of ["read", "locate", "sizeOf"] as const)
      test(`ends when a store does not answer (${method})`, async () => {
        await using patient = await newPatient(environment);
        for (let index = 0; index < 40; index++) await storeBackup(patient, `b${index}`);
        const failing = async () => {
          throw new StorageUnavailable("it does not answer");
        };
        const stores =
          method === "sizeOf"
            ? seenThrough(patient, {}, { sizeOf: failing })
            : seenThrough(patient, { [method]: failing });
        await expect(examined(stores)).rejects.toBeInstanceOf(StorageUnavailable);
      });
  });

async function* stream<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}
