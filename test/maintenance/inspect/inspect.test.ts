import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { inspect, MAX_DELETIONS_SHOWN } from "../../../src/maintenance/inspect/inspect.ts";
import { type OperatorsChange, Refused } from "../../../src/maintenance/inspect/operators-change.ts";
import { restoreVersionForOwner } from "../../../src/maintenance/inspect/restore-version.ts";
import { undeleteForOwner } from "../../../src/maintenance/inspect/undelete.ts";
import { systemRandom } from "../../../src/runtime/clock.ts";
import type { BackupRecord, RecordStore } from "../../../src/storage/contract.ts";
import { deletedOf, type Fixture } from "../../contract/fixture.ts";
import { DRIVERS } from "../../drivers.ts";
import { addVersion, pruneVersions, setAside } from "../../support/history.ts";
import { onceBefore, replaced } from "../../support/store-wrappers.ts";
import { storedRecord } from "../../support/stored.ts";
import { newStores, storeBackup } from "../doctor/examined-stores.ts";

const LATEST = { deletionId: null, replace: null };
const ID = `backup_account_03${"cd".repeat(32)}`;

function change({ records, blobs, clock }: Fixture, more: Partial<OperatorsChange> = {}): OperatorsChange {
  const events = { keepMs: 60_000, isDelivered: false };
  return {
    stores: { records, blobs },
    clock,
    random: systemRandom,
    ...events,
    backupId: ID,
    dryRun: false,
    ...more,
  };
}

for (const driver of DRIVERS)
  describe(`what an operator does for an owner (${driver.name})`, () => {
    /** Stores whose first commit is preceded by another process's change of the record. */
    function overtaken({ records, blobs }: Fixture, next: (before: BackupRecord) => Promise<BackupRecord>) {
      let isFirst = true;
      const commit: RecordStore["commit"] = async (made) => {
        if (isFirst) {
          isFirst = false;
          const before = await storedRecord({ records }, ID);
          const outcome = await records.commit({ backupId: ID, expect: before, next: await next(before) });
          expect(outcome).toBe("committed");
        }
        return records.commit(made);
      };
      return { records: replaced<RecordStore>(records, { commit }), blobs };
    }

    test("brings back the state of a backup that is deleted right before it is read", async () => {
      await using stores = await newStores(driver.environment);
      await storeBackup(stores, ID, { claim: [] });
      await setAside(stores, ID);
      stores.clock.advance(1_000);
      const { blob } = await storeBackup(stores, ID, { claim: [] });
      const read: RecordStore["read"] = async (backupId) => {
        await setAside(stores, ID);
        return stores.records.read(backupId);
      };
      const raced = { records: replaced<RecordStore>(stores.records, { read }), blobs: stores.blobs };
      await undeleteForOwner(change(stores, { stores: raced }), LATEST);
      expect((await storedRecord(stores, ID)).blob).toEqual(blob);
    });

    test("goes on where only the metadata changed meanwhile", async () => {
      await using stores = await newStores(driver.environment);
      await storeBackup(stores, ID);
      const version = await addVersion(stores, ID);
      const { versions, blob } = await storedRecord(stores, ID);
      const versionId = versions[0]?.versionId ?? "";
      const raced = overtaken(stores, async ({ blob, versions, metadata }) => ({
        blob,
        versions,
        metadata: { ...metadata, note: "by another process" },
      }));
      await restoreVersionForOwner(change(stores, { stores: raced }), versionId);
      const after = await storedRecord(stores, ID);
      expect(after.metadata).toMatchObject({ note: "by another process", manifestHash: version.sha256 });
      expect([after.blob, ...after.versions.map((each) => each.blob)]).toEqual([version, blob]);
    });

    test("refuses where the content changed meanwhile: the operator has not seen that one", async () => {
      await using stores = await newStores(driver.environment);
      await storeBackup(stores, ID);
      await addVersion(stores, ID);
      const { versions } = await storedRecord(stores, ID);
      const blob = await stores.blobs.put(ID, [randomBytes(10)]);
      const raced = overtaken(stores, async ({ versions, metadata }) => ({ blob, versions, metadata }));
      const restored = restoreVersionForOwner(
        change(stores, { stores: raced }),
        versions[0]?.versionId ?? "",
      );
      await expect(restored).rejects.toThrow(Refused);
      expect((await storedRecord(stores, ID)).blob).toEqual(blob);
    });

    test("brings back the deletion that is named, and leaves the others", async () => {
      await using stores = await newStores(driver.environment);
      const states = [];
      for (let count = 0; count < 3; count++) {
        stores.clock.advance(1);
        await storeBackup(stores, ID, { claim: [] });
        states.push(await setAside(stores, ID));
      }
      const [first, second, last] = states.map(({ deletionId }) => deletionId);
      expect(await undeleteForOwner(change(stores, { dryRun: true }), LATEST)).toBe(last ?? "");
      expect(await undeleteForOwner(change(stores), { ...LATEST, deletionId: second ?? "" })).toBe(
        second ?? "",
      );
      expect((await storedRecord(stores, ID)).blob).toEqual(states[1]?.blob ?? expect.unreachable());
      const left = (await deletedOf(stores.records, ID)).map(({ deletionId }) => deletionId);
      expect(left).toEqual([last ?? "", first ?? ""]);
    });

    test("brings nothing back whose metadata are those of another backup", async () => {
      await using stores = await newStores(driver.environment);
      const { metadata } = await storeBackup(stores, `backup_account_02${"cd".repeat(32)}`);
      await storeBackup(stores, ID, { metadata, claim: [] });
      await setAside(stores, ID);
      await expect(undeleteForOwner(change(stores), LATEST)).rejects.toThrow("the metadata cannot be used");
    });

    test("begins with a bounded number of deleted states, the latest", async () => {
      await using stores = await newStores(driver.environment);
      for (let count = 0; count <= MAX_DELETIONS_SHOWN; count++) {
        stores.clock.advance(1);
        await storeBackup(stores, ID, { claim: [] });
        await setAside(stores, ID);
      }
      const [latest] = await deletedOf(stores.records, ID);
      const { deleted, moreDeleted } = await inspect(stores, ID, 20);
      expect({ moreDeleted, count: deleted.length }).toEqual({
        moreDeleted: true,
        count: MAX_DELETIONS_SHOWN,
      });
      expect(deleted[0]?.deletionId).toBe(latest?.deletionId ?? "");
    });

    test("sees a backup that is brought back while it is read", async () => {
      await using stores = await newStores(driver.environment);
      await storeBackup(stores, ID, { claim: [] });
      await setAside(stores, ID);
      const { records, blobs } = stores;
      const readDeleted: RecordStore["readDeleted"] = async (...query) => {
        if ((await records.read(ID)) === null) await undeleteForOwner(change(stores), LATEST);
        return records.readDeleted(...query);
      };
      const { backup, deleted } = await inspect(
        { records: replaced(records, { readDeleted }), blobs },
        ID,
        20,
      );
      expect({ isThere: backup !== null, deleted }).toEqual({ isThere: true, deleted: [] });
    });

    test("shows a backup that is deleted while it is read as deleted, and not as present too", async () => {
      await using stores = await newStores(driver.environment);
      await storeBackup(stores, ID, { claim: [] });
      const raced = onceBefore<RecordStore>(stores.records, "readDeleted", () => setAside(stores, ID));
      const { backup, deleted } = await inspect({ records: raced, blobs: stores.blobs }, ID, 20);
      expect({ backup, count: deleted.length }).toEqual({ backup: null, count: 1 });
    });

    test("finds the ciphertext of a content that is replaced while it is looked for", async () => {
      await using stores = await newStores(driver.environment);
      const before = await storeBackup(stores, ID, { claim: [] });
      const blobs = onceBefore(stores.blobs, "sizeOf", async () => {
        await addVersion(stores, ID);
        await pruneVersions(stores, ID);
      });
      const { backup } = await inspect({ records: stores.records, blobs }, ID, 20);
      expect(backup?.blob.stored).toBe("there");
      expect(backup?.blob.key).not.toBe(before.blob.key);
    });

    test("says that there is no such version any more where it is removed while its ciphertext is looked for", async () => {
      await using stores = await newStores(driver.environment);
      await storeBackup(stores, ID);
      await addVersion(stores, ID);
      const [version] = (await storedRecord(stores, ID)).versions;
      const blobs = onceBefore(stores.blobs, "sizeOf", () => pruneVersions(stores, ID));
      const raced = change(stores, { stores: { records: stores.records, blobs } });
      await expect(restoreVersionForOwner(raced, version?.versionId ?? "")).rejects.toThrow(
        "the backup has no such version",
      );
    });

    test("has events of a deleted backup and of the one after it, newest first", async () => {
      await using stores = await newStores(driver.environment);
      for (let count = 0; count < 2; count++) {
        stores.clock.advance(1);
        await storeBackup(stores, ID, { claim: [] });
        await addVersion(stores, ID);
        stores.clock.advance(1);
        const { versions } = await storedRecord(stores, ID);
        await restoreVersionForOwner(change(stores), versions[0]?.versionId ?? "");
        stores.clock.advance(1);
        if (count === 0) await setAside(stores, ID);
      }
      const { events } = await inspect(stores, ID, 20);
      expect(events.map(({ kind }) => kind)).toEqual(["VERSION_RESTORED", "VERSION_RESTORED"]);
      expect(events.map(({ at }) => at).toSorted()).toEqual(events.map(({ at }) => at).toReversed());
      expect((await inspect(stores, ID, 1)).events).toEqual(events.slice(0, 1));
      expect((await inspect(stores, ID, 0)).events).toEqual([]);
    });
  });
