import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { COLLECTED_AFTER_MS } from "../../../src/storage/contract.ts";
import { collect, revisionOf } from "../../contract/fixture.ts";
import { DRIVERS } from "../../drivers.ts";
import { addVersion, setAside } from "../../support/history.ts";
import { replaced } from "../../support/store-wrappers.ts";
import { examined, letAge, mainRef, metadataOf, newStores, storeBackup, syncRef } from "./examined-stores.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

for (const { name, environment } of DRIVERS) {
  /** A backup with two versions, and a deleted one with one. */
  async function storesWithHistory() {
    const stores = await newStores(environment);
    const { records } = stores;
    await storeBackup(stores, "b1");
    const versions = [await addVersion(stores, "b1"), await addVersion(stores, "b1")];
    await storeBackup(stores, "gone");
    await addVersion(stores, "gone");
    const release = [mainRef("gone main"), syncRef("gone sync")];
    const stored = await records.read("gone");
    if (stored === null) throw new Error("gone is not stored");
    await records.commit({ backupId: "gone", expect: stored, next: stored, release });
    return { stores, versions, state: await setAside(stores, "gone") };
  }

  describe(`the doctor, with versions and deleted backups (${name})`, () => {
    test("finds nothing where all are whole, and leaves all blobs alone", async () => {
      const { stores } = await storesWithHistory();
      await using _ = stores;
      await letAge(stores);
      const { findings, counts } = await examined(stores, { verify: true, repair: true });
      expect(findings).toEqual([]);
      expect(counts).toMatchObject({ backups: 1, deletedBackups: 1, blobs: 5, verifiedBlobs: 5 });
    });

    test("finds ciphertexts of versions that are missing or damaged", async () => {
      const { stores, versions } = await storesWithHistory();
      await using _ = stores;
      const [older, newer] = versions;
      if (older === undefined || newer === undefined) throw new Error("there are two versions");
      await stores.blobs.delete(older.key);
      await stores.storage.overwriteBlob(newer.key, randomBytes(newer.size));
      const ids = new Map(
        (await stores.records.read("b1"))?.versions.map(({ blob, versionId }) => [blob.key, versionId]),
      );
      const missing = {
        kind: "blob-missing",
        backupId: "b1",
        blobKey: older.key,
        detail: `of the version ${ids.get(older.key)}`,
        remedy: null,
      };
      expect((await examined(stores, { repair: true })).findings).toMatchObject([missing]);
      expect((await examined(stores, { verify: true })).findings).toMatchObject([
        {
          ...missing,
          kind: "blob-damaged",
          blobKey: newer.key,
          detail: expect.stringContaining(`of the version ${ids.get(newer.key)}: `),
        },
        missing,
      ]);
    });

    test("finds ciphertexts of deleted states that are missing or damaged, until their time is over", async () => {
      const { stores, state } = await storesWithHistory();
      await using _ = stores;
      const [version] = state.versions;
      if (version === undefined) throw new Error("there is a version");
      await stores.storage.overwriteBlob(state.blob.key, randomBytes(state.blob.size + 1));
      await stores.blobs.delete(version.blob.key);
      const detail = expect.stringContaining(new Date(state.deletedAtMs).toISOString());
      expect((await examined(stores)).findings).toMatchObject([
        { kind: "blob-damaged", backupId: "gone", blobKey: state.blob.key, detail },
        { kind: "blob-missing", backupId: "gone", blobKey: version.blob.key, detail },
      ]);
      stores.clock.set(state.keepUntilMs);
      expect((await examined(stores)).findings).toEqual([]);
    });

    test("finds metadata of deleted states that cannot be used, and then deletes no blob", async () => {
      await using stores = await newStores(environment);
      const { records, blobs } = stores;
      const cases = [
        ["b1", { metadata: { id: "b1" } }, "metadata-unreadable"],
        ["b2", { metadata: { schemaVersion: 99 } }, "metadata-of-newer-version"],
        ["b3", { metadata: metadataOf("other", {}) }, "metadata-of-another-backup"],
      ] as const;
      await storeBackup(stores, "sound");
      for (const [id, change] of cases) {
        await storeBackup(stores, id, { claim: [] });
        await setAside(stores, id, change);
      }
      await blobs.put("sound", [randomBytes(10)]);
      await letAge(stores);
      const { findings } = await examined(stores, { repair: true });
      const ofStates = findings.filter(({ kind }) => kind.startsWith("metadata"));
      expect(ofStates.map(({ kind, backupId }) => [backupId, kind]).toSorted()).toEqual(
        cases.map(([id, , kind]) => [id, kind]),
      );
      for (const { detail } of ofStates)
        expect(detail).toStartWith("of the state that is kept since its deletion at");
      expect(findings.filter(({ kind }) => kind === "blob-unreferenced")).toMatchObject([{ remedy: null }]);
      expect((await collect(blobs.list())).length).toBe(5);
      expect(await collect(records.listDeleted())).toHaveLength(3);
    });

    test("takes what an operation has left of a deleted backup for abandoned", async () => {
      const { stores } = await storesWithHistory();
      await using _ = stores;
      const { key } = await stores.blobs.put("gone", [randomBytes(10)]);
      await letAge(stores);
      const { findings } = await examined(stores, { repair: true });
      expect(findings).toMatchObject([{ kind: "blob-unreferenced", blobKey: key, repaired: true }]);
    });

    test("deletes no unreferenced blob where one of a deleted state is missing", async () => {
      const { stores, state } = await storesWithHistory();
      await using _ = stores;
      await stores.blobs.delete(state.blob.key);
      await stores.blobs.put("b1", [randomBytes(10)]);
      await letAge(stores);
      const { findings } = await examined(stores, { repair: true });
      expect(findings).toMatchObject([
        { kind: "blob-missing", repaired: false },
        { kind: "blob-unreferenced", repaired: false, remedy: null },
      ]);
    });

    test("is not misled by a state that is brought back while it is examined", async () => {
      const { stores, state } = await storesWithHistory();
      await using _ = stores;
      const { records, blobs } = stores;
      const moving = replaced(blobs, {
        async sizeOf(key) {
          if (key === state.blob.key && (await records.read("gone")) === null) {
            const back = { backupId: "gone", expect: "absent", next: state, bringBack: state } as const;
            await records.commit({ ...back, claim: [mainRef("gone main"), syncRef("gone sync")] });
            const revision = await revisionOf(records, "gone");
            const blob = await blobs.put("gone", [randomBytes(10)]);
            await records.commit({ backupId: "gone", expect: { revision }, next: { ...state, blob } });
            await blobs.delete(key);
          }
          return blobs.sizeOf(key);
        },
      });
      expect((await examined({ ...stores, blobs: moving })).findings).toEqual([]);
    });

    test("finds deleted backups that the service has not collected for a day, and collects them", async () => {
      const { stores, state } = await storesWithHistory();
      await using _ = stores;
      const { records, blobs, clock } = stores;
      await records.markInstallation("i1");
      const dueMs = state.keepUntilMs + COLLECTED_AFTER_MS;
      clock.set(dueMs + 30 * DAY_MS); // the service was stopped meanwhile, or this is a copy
      await records.markSeen(dueMs + DAY_MS - 1);
      expect((await examined(stores)).findings).toEqual([]);

      await records.markSeen(dueMs + DAY_MS);
      const overdue = {
        kind: "collection-overdue",
        backupId: "gone",
        detail: `the oldest since ${new Date(dueMs).toISOString()}`,
        remedy: "remove all whose time is over",
      };
      expect((await examined(stores)).findings).toMatchObject([{ ...overdue, repaired: false }]);
      expect(await blobs.sizeOf(state.blob.key)).not.toBeNull();
      expect((await examined(stores, { repair: true })).findings).toMatchObject([
        { ...overdue, repaired: true },
      ]);
      for (const { key } of [state.blob, ...state.versions.map(({ blob }) => blob)])
        expect(await blobs.sizeOf(key)).toBeNull();
      expect((await examined(stores)).findings).toEqual([]);
    });

    test("takes a ciphertext that is still to be collected for not abandoned", async () => {
      const { stores } = await storesWithHistory();
      await using _ = stores;
      const blob = await stores.blobs.put("reset", [randomBytes(10)]);
      const leftovers = { blobs: [blob], logIds: [] };
      const change = { backupId: "reset", expect: "absent", next: null, collect: leftovers } as const;
      expect(await stores.records.commit(change)).toBe("committed");
      await letAge(stores);
      expect((await examined(stores, { repair: true })).findings).toEqual([]);
      expect(await stores.blobs.sizeOf(blob.key)).toBe(10);
    });
  });
}
