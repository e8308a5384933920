import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { mkdtemp, rm, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import { type BlobRef, blobsOf } from "../../src/storage/contract.ts";
import { openLocalBlobs } from "../../src/storage/local/blobs.ts";
import { copyData } from "../../src/storage/local/copy/data.ts";
import { copiedAtMsOf } from "../../src/storage/local/marks.ts";
import { openLocalRecords } from "../../src/storage/local/records.ts";
import { deletedOf, event, revisionOf, uuidOf } from "../contract/fixture.ts";
import { DRIVERS } from "../drivers.ts";
import { newStores, storeBackup } from "../maintenance/doctor/examined-stores.ts";
import { newSite } from "../storage/local/copy/site.ts";
import { toEarlierSchema } from "../support/earlier-schema.ts";
import { addVersion, setAside } from "../support/history.ts";
import { newLocalStorage } from "../support/local-storage.ts";

/** Every ciphertext that records and deleted states of a folder refer to; each must be whole. */
async function referencesOf(dataDir: string): Promise<string[]> {
  await using records = await openLocalRecords({ dataDir, clock: systemClock, random: systemRandom });
  await using blobs = await openLocalBlobs({ dataDir, random: systemRandom });
  const refs: BlobRef[] = [];
  for await (const listed of records.list()) refs.push(...listed.blobs);
  for await (const listed of records.listDeleted()) refs.push(...listed.blobs);
  for (const ref of refs) {
    const content = await blobs.get(ref);
    if (content === null) throw new Error(`${ref.key} is missing in ${dataDir}`);
    await new Response(content).bytes();
  }
  return refs.map(({ key }) => key).toSorted();
}

async function storedIn(dataDir: string): Promise<string[]> {
  await using blobs = await openLocalBlobs({ dataDir, random: systemRandom });
  return (await Array.fromAsync(blobs.list())).map(({ key }) => key).toSorted();
}

if (DRIVERS.some((driver) => driver.name === "local"))
  describe("a copy of a data folder", () => {
    test("has versions, deleted states, events, deliveries and collections, and their ciphertexts", async () => {
      await using site = await newSite();
      const { stores, source, target } = site;
      const { records, clock } = stores;
      for (const id of ["b1", "b2", "gone"]) await storeBackup(stores, id);
      for (const id of ["b1", "b1", "gone"]) await addVersion(stores, id);
      await setAside(stores, "gone");
      await records.consume([], undefined, [event("log", clock, { deliverFromMs: clock.nowMs() })]);
      const collect = { blobs: [], logIds: [uuidOf("other log")] };
      await records.commit({ backupId: "none", expect: "absent", next: null, collect });
      const result = await copyData({ source, target });
      expect(result).toMatchObject({ copiedBlobs: 6, lost: [] });
      expect(await referencesOf(target)).toEqual(await referencesOf(source));
      using original = new Database(join(source, "records.sqlite"), { readonly: true });
      using copy = new Database(join(target, "records.sqlite"), { readonly: true });
      for (const table of ["backups", "deleted_backups", "events", "outbox", "collections"]) {
        const rows = original.query(`SELECT * FROM ${table}`).all();
        expect(rows.length).toBeGreaterThan(0);
        expect(copy.query(`SELECT * FROM ${table}`).all()).toEqual(rows);
      }
    });

    test("is brought up to date as versions are added and backups come back, and loses what is needed no more", async () => {
      await using site = await newSite();
      const { stores, source, target } = site;
      const { records, blobs } = stores;
      for (const id of ["b1", "b2"]) await storeBackup(stores, id);
      await setAside(stores, "b2");
      await copyData({ source, target });
      await addVersion(stores, "b1");
      const [state] = await deletedOf(records, "b2");
      if (state === undefined) throw new Error("b2 is not kept");
      const back = { backupId: "b2", expect: "absent", next: state, bringBack: state } as const;
      expect(await records.commit(back)).toBe("committed");
      expect(await copyData({ source, target })).toMatchObject({
        copiedBlobs: 1,
        presentBlobs: 2,
        prunedBlobs: 0,
      });
      expect(await referencesOf(target)).toEqual(await referencesOf(source));

      const stored = await records.read("b1");
      if (stored === null) throw new Error("b1 is not stored");
      const revision = await revisionOf(records, "b1");
      const next = { ...stored, versions: [] };
      await records.commit({ backupId: "b1", expect: { revision }, next });
      for (const { blob } of stored.versions) await blobs.delete(blob.key);
      expect(await copyData({ source, target })).toMatchObject({ copiedBlobs: 0, prunedBlobs: 1 });
      expect(await storedIn(target)).toEqual(await storedIn(source));
    });

    test("has what becomes a version, is deleted or brought back while it is made", async () => {
      await using site = await newSite();
      const { stores, source, target } = site;
      for (const id of ["b1", "b2", "b3", "b4"]) await storeBackup(stores, id);
      await setAside(stores, "b3");
      const [state] = await deletedOf(stores.records, "b3");
      if (state === undefined) throw new Error("b3 is not kept");
      const bringBack = { backupId: "b3", expect: "absent", next: state, bringBack: state } as const;
      const changes = [
        () => addVersion(stores, "b1"),
        () => setAside(stores, "b2"),
        () => stores.records.commit(bringBack),
      ];
      const running: Promise<unknown>[] = [];
      const onProgress = () => {
        const change = changes.shift();
        if (change !== undefined) running.push(change());
      };
      const { lost } = await copyData({ source, target, onProgress });
      await Promise.all(running);
      expect(lost).toEqual([]);
      await referencesOf(target);
      await copyData({ source, target });
      expect(await referencesOf(target)).toEqual(await referencesOf(source));
    });

    test("reports which ciphertexts of versions and deleted states the source has lost", async () => {
      await using site = await newSite();
      const { stores, source, target } = site;
      for (const id of ["b1", "b2"]) await storeBackup(stores, id);
      await addVersion(stores, "b1");
      await setAside(stores, "b2");
      const first = await stores.records.read("b1");
      const version = first?.versions[0]?.blob.key ?? "";
      const [state] = await deletedOf(stores.records, "b2");
      const aside = state === undefined ? "" : (blobsOf(state)[0]?.key ?? "");
      for (const key of [version, aside]) await unlink(join(source, "blobs", key.slice(0, 2), key));
      const { lost } = await copyData({ source, target });
      expect(lost.map(({ backupId, blob, reason }) => [backupId, blob.key, reason]).toSorted()).toEqual([
        ["b1", version, "missing"],
        ["b2", aside, "missing"],
      ]);
    });

    for (const schema of [1, 2] as const)
      test(`can be made of a folder of an earlier version of the service, with schema ${schema}`, async () => {
        await using storage = await newLocalStorage();
        const parent = await mkdtemp(join(tmpdir(), "backup-service-"));
        const target = join(parent, "copy");
        const stores = await newStores(async () => storage);
        for (const id of ["b1", "b2"]) await storeBackup(stores, id);
        // one of the two has the mark, as after a crash between them, or of a version whose records had none
        await (schema === 1 ? stores.blobs : stores.records).markInstallation("id");
        await stores.records[Symbol.asyncDispose]();
        toEarlierSchema(storage.dataDir, schema);
        const startedMs = Date.now(); // long after the changes, by the clock of the stores
        for (const copiedBlobs of [2, 0])
          expect(await copyData({ source: storage.dataDir, target })).toMatchObject({
            copiedBlobs,
            lost: [],
          });
        using database = new Database(join(target, "records.sqlite"), { readonly: true });
        expect(copiedAtMsOf(database)).toBeGreaterThanOrEqual(startedMs);
        expect(await referencesOf(target)).toHaveLength(2);
        await rm(parent, { recursive: true });
      });
  });
