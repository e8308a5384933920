import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { type FindingKind, REMOVABLE, type RemovableKind } from "../../../src/maintenance/doctor/findings.ts";
import type { FactorRef } from "../../../src/storage/contract.ts";
import type { Restore } from "../../../src/storage/inspection.ts";
import { backupOf, collect, type Fixture } from "../../contract/fixture.ts";
import { DRIVERS } from "../../drivers.ts";
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

interface Damage {
  readonly name: string;
  readonly cause: (stores: Fixture) => Promise<unknown>;
  readonly found: readonly FindingKind[];
  /** Found only when every ciphertext is read. */
  readonly onlyVerified?: true;
  /** What is left after a repair; all of `found` when nothing is said. */
  readonly left?: readonly FindingKind[];
}

const LONG_KEY = "k".repeat(5_000);

const DAMAGES: readonly Damage[] = [
  {
    name: "index rows of a backup that is not stored",
    async cause(stores) {
      await storeBackup(stores, "b1");
      await dropRecord(stores, "b1");
    },
    found: ["row-without-backup", "row-without-backup"],
    left: [],
  },
  {
    name: "an index row that its backup does not list",
    cause: (stores) =>
      storeBackup(stores, "b1", { claim: [mainRef("b1 main"), syncRef("b1 sync"), syncRef("extra")] }),
    found: ["row-without-factor"],
    left: [],
  },
  {
    name: "an index row of which the store has only a hash",
    cause: (stores) =>
      storeBackup(stores, "b1", { claim: [mainRef("b1 main"), syncRef("b1 sync"), mainRef(LONG_KEY)] }),
    found: ["row-without-factor"],
    left: [],
  },
  {
    name: "a factor that is listed as a main factor and indexed as a sync factor",
    cause: (stores) => storeBackup(stores, "b1", { claim: [syncRef("b1 main"), syncRef("b1 sync")] }),
    found: ["factor-without-row", "row-without-factor"],
    left: [],
  },
  {
    name: "listed factors without index rows",
    cause: (stores) => storeBackup(stores, "b1", { claim: [] }),
    found: ["factor-without-row", "factor-without-row"],
    left: [],
  },
  {
    name: "a listed factor that leads to a backup that lists it too",
    async cause(stores) {
      await storeBackup(stores, "b1");
      const metadata = metadataOf("b2", { factors: ["b1 main"] });
      await storeBackup(stores, "b2", { metadata, claim: [] });
    },
    found: ["row-of-another-backup"],
  },
  {
    name: "a listed factor that leads to a backup that does not list it",
    async cause(stores) {
      await storeBackup(stores, "b1", { metadata: metadataOf("b1", { syncFactors: ["b1 sync"] }) });
      const metadata = metadataOf("b2", { factors: ["b1 main"] });
      await storeBackup(stores, "b2", { metadata, claim: [] });
    },
    found: ["row-of-another-backup", "row-without-factor"],
    left: [],
  },
  {
    name: "a factor that is listed twice",
    cause: (stores) =>
      storeBackup(stores, "b1", {
        metadata: metadataOf("b1", { factors: ["b1 main", "b1 main"], syncFactors: ["b1 sync"] }),
      }),
    found: ["factor-twice"],
  },
  {
    name: "metadata that does not fit its schema",
    cause: (stores) => storeBackup(stores, "b1", { metadata: { id: "b1", factors: [] } }),
    found: ["metadata-unreadable"],
  },
  {
    name: "metadata of a newer version of the service, whose factors and blobs it cannot know",
    async cause(stores) {
      await storeBackup(stores, "b1", { metadata: { schemaVersion: 99 }, claim: [syncRef("b1 sync")] });
      await stores.blobs.put("b1", [randomBytes(10)]);
      await letAge(stores);
    },
    found: ["blob-unreferenced", "metadata-of-newer-version"],
  },
  {
    name: "metadata of another backup",
    cause: (stores) => storeBackup(stores, "b1", { metadata: metadataOf("b2", {}) }),
    found: ["metadata-of-another-backup"],
  },
  {
    name: "a ciphertext that is missing",
    async cause(stores) {
      await stores.blobs.delete((await storeBackup(stores, "b1")).blob.key);
    },
    found: ["blob-missing"],
  },
  {
    name: "a ciphertext of another size",
    async cause(stores) {
      const { blob } = await storeBackup(stores, "b1");
      await stores.storage.overwriteBlob(blob.key, randomBytes(blob.size + 1));
    },
    found: ["blob-damaged"],
  },
  {
    name: "a ciphertext with another hash",
    async cause(stores) {
      const { blob } = await storeBackup(stores, "b1");
      await stores.storage.overwriteBlob(blob.key, randomBytes(blob.size));
    },
    found: ["blob-damaged"],
    onlyVerified: true,
  },
  {
    name: "an old ciphertext that no record refers to",
    async cause(stores) {
      await storeBackup(stores, "b1");
      await stores.blobs.put("b1", [randomBytes(10)]);
      await letAge(stores);
    },
    found: ["blob-unreferenced"],
    left: [],
  },
  {
    name: "more unreferenced ciphertexts than backups",
    async cause(stores) {
      for (let count = 0; count < 3; count++) await stores.blobs.put("b1", [randomBytes(10)]);
      await storeBackup(stores, "b1");
      await letAge(stores);
    },
    found: ["blob-unreferenced", "blob-unreferenced", "blob-unreferenced"],
  },
  {
    name: "an unreferenced ciphertext where another one is missing",
    async cause(stores) {
      await stores.blobs.delete((await storeBackup(stores, "b1")).blob.key);
      await stores.blobs.put("b1", [randomBytes(1_000)]);
      await letAge(stores);
    },
    found: ["blob-missing", "blob-unreferenced"],
  },
];

for (const { name, environment } of DRIVERS)
  describe(`the doctor on ${name}`, () => {
    test("finds nothing in an empty storage, nor in a sound one", async () => {
      await using stores = await newStores(environment);
      expect(await examined(stores, { verify: true })).toMatchObject({ findings: [] });
      for (let index = 0; index < 40; index++) await storeBackup(stores, `b${index}`);
      await letAge(stores);
      for (const repair of [false, true]) {
        const { findings, counts } = await examined(stores, { verify: true, repair });
        expect(findings).toEqual([]);
        expect(counts).toMatchObject({ backups: 40, indexRows: 80, blobs: 40, verifiedBlobs: 40 });
        expect(counts).toMatchObject({ verifiedBytes: 40_000, busyBackups: 0 });
      }
    });

    for (const { name, cause, found, onlyVerified, left = found } of DAMAGES)
      test(`finds ${name}, and repairs it where that is safe`, async () => {
        await using stores = await newStores(environment);
        await storeBackup(stores, "neighbour");
        await cause(stores);
        if (onlyVerified) expect((await examined(stores)).findings).toEqual([]);
        const verify = onlyVerified ?? false;

        const before = await contentOf(stores);
        const { findings } = await examined(stores, { verify });
        expect(kindsOf(findings)).toEqual([...found]);
        expect(findings.every(({ repaired }) => !repaired)).toBe(true);
        expect(await contentOf(stores)).toEqual(before);

        await examined(stores, { verify, repair: true });
        expect(kindsOf((await examined(stores, { verify })).findings)).toEqual([...left]);
        const after = await contentOf(stores);
        expect(after.records).toEqual(before.records);
        expect(after.blobs).toEqual(expect.arrayContaining(before.referenced));
        if (left.length === found.length) expect(after).toEqual(before);
      });

    test("deletes what is newer than every record only when that kind is named", async () => {
      await using stores = await newStores(environment);
      await storeBackup(stores, "b1");
      const { key } = await stores.blobs.put("b1", [randomBytes(10)]);
      stores.clock.advance(24 * 60 * 60 * 1000);
      await expectRemovedByName(stores, "blob-newer-than-records", key);
    });

    test("deletes what was stored between a copy of the records and its restore only when that kind is named", async () => {
      await using stores = await newStores(environment);
      await storeBackup(stores, "b1");
      const { key } = await stores.blobs.put("b1", [randomBytes(10)]);
      const nowMs = stores.clock.nowMs();
      await letAge(stores);
      const restores = [{ copiedAtMs: nowMs, restoredAtMs: nowMs + 60_000 }];
      await expectRemovedByName(stores, "blob-newer-than-records", key, restores);
      expect((await examined(stores)).findings).toEqual([]);
    });

    test("does not count a repair as a change of the backup when it compares ages", async () => {
      await using stores = await newStores(environment);
      await storeBackup(stores, "b1", { claim: [] });
      const { key } = await stores.blobs.put("b1", [randomBytes(10)]);
      stores.clock.advance(24 * 60 * 60 * 1000);
      const repairs = (await examined(stores, { repair: true })).findings;
      expect(repairs.filter(({ repaired }) => repaired)).toHaveLength(2);
      const { findings } = await examined(stores, { repair: true });
      expect(kindsOf(findings)).toEqual(["blob-newer-than-records"]);
      expect((await collect(stores.blobs.list())).map((blob) => blob.key)).toContain(key);
    });

    if (name === "aws")
      test("deletes blobs of backups without a record, as of another installation, only when that kind is named", async () => {
        await using stores = await newStores(environment);
        await storeBackup(stores, "b1");
        const { key } = await stores.blobs.put("theirs", [randomBytes(10)]);
        for (let count = 0; count < 3; count++) await stores.blobs.put("theirs too", [randomBytes(10)]);
        await letAge(stores);
        await examined(stores, { repair: true });
        await expectRemovedByName(stores, "blob-of-unknown-backup", key);
      });

    test("leaves young ciphertexts alone, which an upload may be about to refer to", async () => {
      await using stores = await newStores(environment);
      await storeBackup(stores, "b1");
      await stores.blobs.put("b1", [randomBytes(10)]);
      expect((await examined(stores, { repair: true })).findings).toEqual([]);
      expect(await collect(stores.blobs.list())).toHaveLength(2);
    });

    test("reports what a repair did, and of a factor only a hash", async () => {
      await using stores = await newStores(environment);
      await storeBackup(stores, "b1", { claim: [mainRef("b1 main"), syncRef("b1 sync"), syncRef("extra")] });
      const { findings } = await examined(stores, { repair: true });
      expect(findings).toEqual([
        {
          kind: "row-without-factor",
          backupId: "b1",
          factor: { scope: "SYNC", kind: "EC_KEYPAIR", keyHash: expect.stringMatching(/^[0-9a-f]{16}$/) },
          blobKey: null,
          detail: null,
          remedy: "release the index row",
          repaired: true,
        },
      ]);
    });

    test("reports the version of metadata of a newer version, and no remedy", async () => {
      await using stores = await newStores(environment);
      await storeBackup(stores, "b1", { metadata: { ...metadataOf("b1", {}), schemaVersion: 2 } });
      expect((await examined(stores, { repair: true })).findings).toEqual([
        {
          kind: "metadata-of-newer-version",
          backupId: "b1",
          factor: null,
          blobKey: null,
          detail: expect.stringContaining("schema version 2, this version of the service knows 1"),
          remedy: null,
          repaired: false,
        },
      ]);
    });

    test("adds the missing rows that it can, where one leads to another backup", async () => {
      await using stores = await newStores(environment);
      await storeBackup(stores, "b1");
      const metadata = metadataOf("b2", { factors: ["b1 main", "free"] });
      await storeBackup(stores, "b2", { metadata, claim: [] });
      const { findings } = await examined(stores, { repair: true });
      const repairs = findings.map(({ kind, repaired }) => `${kind} ${repaired}`);
      expect(repairs.sort()).toEqual(["factor-without-row true", "row-of-another-backup false"]);
      const rows: readonly [FactorRef, string][] = [
        [mainRef("b1 main"), "b1"],
        [mainRef("free"), "b2"],
      ];
      for (const [factor, backupId] of rows) expect(await backupOf(stores.records, factor)).toBe(backupId);
    });

    test("adds no row of a factor that two backups list: nobody can tell whose it is", async () => {
      await using stores = await newStores(environment);
      const listing = (id: string) =>
        metadataOf(id, { factors: [`${id} main`, "shared"], syncFactors: [`${id} sync`] });
      for (const id of ["b1", "b2"]) await storeBackup(stores, id, { metadata: listing(id), claim: [] });
      const repaired = await examined(stores, { repair: true });
      expect(repaired.findings.filter((found) => found.repaired)).toHaveLength(4);
      const left = repaired.findings.filter((found) => !found.repaired);
      expect(left.map(({ backupId }) => backupId).sort()).toEqual(["b1", "b2"]);
      for (const found of left)
        expect(found).toMatchObject({
          kind: "factor-without-row",
          remedy: null,
          detail: "another backup lists it too, and it leads to neither",
        });
      expect((await stores.records.locate(mainRef("shared"), [])).backupId).toBeNull();
      expect((await examined(stores)).findings).toHaveLength(2);
    });

    test("releases no rows when the records seem to be those of another installation", async () => {
      await using stores = await newStores(environment);
      await storeBackup(stores, "b1");
      for (let index = 0; index < 6; index++) {
        await storeBackup(stores, `gone ${index}`);
        await dropRecord(stores, `gone ${index}`);
      }
      const { findings } = await examined(stores, { repair: true });
      expect(findings).toHaveLength(12);
      expect(findings.every(({ repaired, remedy }) => !repaired && remedy === null)).toBe(true);
      expect(await collect(stores.records.listFactors())).toHaveLength(14);
    });

    test("counts rows past their expiry, which are no finding, and collects them in a repair", async () => {
      await using stores = await newStores(environment);
      await stores.records.consume([{ id: "n1", expiresAtMs: stores.clock.nowMs() + 1 }]);
      stores.clock.advance(1);
      const { findings, counts } = await examined(stores);
      expect(findings).toEqual([]);
      expect(counts.expiredRows).toBe(name === "local" ? 1 : 0);
      expect((await examined(stores, { repair: true })).counts.expiredRows).toBe(counts.expiredRows);
      expect((await examined(stores)).counts.expiredRows).toBe(0);
    });
  });

/** A blob is found, left alone by a repair, and deleted by one that names its kind. */
async function expectRemovedByName(
  stores: Fixture,
  kind: RemovableKind,
  key: string,
  restores: readonly Restore[] = [],
): Promise<void> {
  const keys = async () => (await collect(stores.blobs.list())).map((blob) => blob.key);
  const [other] = REMOVABLE.filter((removable) => removable !== kind);
  for (const options of [{}, { repair: true }, { repair: true, remove: new Set(other && [other]) }]) {
    const { findings } = await examined(stores, { ...options, restores });
    const found = findings.filter(({ blobKey }) => blobKey === key);
    expect(found).toMatchObject([{ kind, remedy: null, repaired: false }]);
    expect(await keys()).toContain(key);
  }
  const { findings } = await examined(stores, { repair: true, remove: new Set([kind]), restores });
  expect(findings.every((found) => found.kind === kind && found.repaired)).toBe(true);
  expect(await keys()).not.toContain(key);
}

/** Everything that a repair might change; revisions do change with each commit. */
async function contentOf({ records, blobs }: Fixture) {
  const rows = (await collect(records.listFactors())).map(
    ({ factor, backupId }) => `${factor.scope} ${factor.key} ${backupId}`,
  );
  const listed = await collect(records.list());
  const stored: unknown[] = [];
  for (const { backupId } of listed.toSorted((a, b) => (a.backupId < b.backupId ? -1 : 1))) {
    const record = await records.read(backupId);
    stored.push({ backupId, blob: record?.blob, metadata: record?.metadata });
  }
  const keys = (await collect(blobs.list())).map(({ key }) => key).sort();
  const referenced = listed
    .flatMap((record) => record.blobs.map(({ key }) => key))
    .filter((key) => keys.includes(key));
  return { rows: rows.sort(), records: stored, blobs: keys, referenced };
}
