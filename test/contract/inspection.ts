import { expect, test } from "bun:test";
import { type FactorRef, factorKeys } from "../../src/storage/contract.ts";
import type { InspectableRecords } from "../../src/storage/inspection.ts";
import {
  backupOf,
  collect,
  create,
  event,
  eventsOf,
  MINUTE_MS,
  main,
  type NewStorage,
  once,
  openFixture,
  record,
  revisionOf,
  shown,
  sync,
} from "./fixture.ts";

/** Keys of which a store may have only a hash, and others of the form of one. */
const ODD_KEYS = [
  "",
  "a",
  "a#b",
  "MAIN#a",
  "a\u0000b",
  "\ud800",
  "SHA-256|0",
  `SHA-256|${"0".repeat(64)}`,
  "k".repeat(4096),
  "é".repeat(2048),
  factorKeys.oidcAccount("https://accounts.google.com", "1|2"),
];

/** What the listings show of everything that is stored, and that its names lead back to it. */
export function inspectionContract(newStorage: NewStorage): void {
  test("the index has a row for each factor of each backup, as the store has it", async () => {
    await using store = await openFixture(newStorage);
    expect(await collect(store.records.listFactors())).toEqual([]);
    await create(store.records, "b1", { claim: [main("f1"), sync("f1")] });
    await create(store.records, "b2", { claim: [main("f2")] });
    expect(await index(store.records)).toEqual([
      ["MAIN", "f1", "b1"],
      ["MAIN", "f2", "b2"],
      ["SYNC", "f1", "b1"],
    ]);
    const revision = await revisionOf(store.records, "b1");
    const release = [main("f1"), sync("f1")];
    await store.records.commit({ backupId: "b1", expect: { revision }, next: null, release });
    expect(await index(store.records)).toEqual([["MAIN", "f2", "b2"]]);
  });

  test("a row of the index can be located, released and claimed by the name it has there", async () => {
    await using store = await openFixture(newStorage);
    const { records } = store;
    for (const [number, key] of ODD_KEYS.entries())
      await create(records, `b${number}`, { claim: [main(key)] });
    const rows = await collect(records.listFactors());
    expect(rows.map(({ backupId }) => backupId).sort()).toEqual(ODD_KEYS.map((_, n) => `b${n}`).sort());

    for (const { factor, backupId } of rows) {
      const key = ODD_KEYS[Number(backupId.slice(1))] ?? "";
      expect(records.asStored(main(key))).toEqual(factor);
      expect(records.asStored(factor)).toEqual(factor);
      expect(await backupOf(records, factor)).toBe(backupId);
      await change(records, backupId, { release: [factor] });
      expect(await backupOf(records, main(key))).toBeNull();
      await change(records, backupId, { claim: [factor] });
      expect(await backupOf(records, main(key))).toBe(backupId);
    }
    expect(await collect(records.listFactors())).toHaveLength(ODD_KEYS.length);
  });

  test("different keys have different names in the index", async () => {
    await using store = await openFixture(newStorage);
    const names = ODD_KEYS.map((key) => store.records.asStored(main(key)).key);
    expect(new Set(names).size).toBe(ODD_KEYS.length);
  });

  test("the number of backups is known without counting, or not at all", async () => {
    await using store = await openFixture(newStorage);
    await create(store.records, "b1");
    const count = await store.records.recentCount();
    expect(count === null || (Number.isSafeInteger(count) && count >= 0)).toBe(true);
  });

  test("a row that is named in both ways counts once", async () => {
    await using store = await openFixture(newStorage);
    const { records } = store;
    const both = ["f1", "k".repeat(4096)].flatMap((key) => [main(key), records.asStored(main(key))]);
    await create(records, "b1", { claim: both });
    expect(await collect(records.listFactors())).toHaveLength(2);
    await change(records, "b1", { release: both });
    expect(await collect(records.listFactors())).toEqual([]);
  });

  test("rows of a backup that is not there can be released while it is not", async () => {
    await using store = await openFixture(newStorage);
    const { records } = store;
    const revision = await create(records, "b1", { claim: [main("f1")] });
    await records.commit({ backupId: "b1", expect: { revision }, next: null });
    expect(await backupOf(records, main("f1"))).toBe("b1");
    const release = [records.asStored(main("f1"))];
    const orphan = { backupId: "b1", expect: "absent", next: null, release } as const;
    await create(records, "b1", { claim: [main("f2")] });
    expect(await records.commit(orphan)).toBe("exists");
    expect(await backupOf(records, main("f1"))).toBe("b1");
    const again = await revisionOf(records, "b1");
    await records.commit({ backupId: "b1", expect: { revision: again }, next: null, release: [main("f2")] });
    expect(await records.commit(orphan)).toBe("committed");
    expect(await collect(records.listFactors())).toEqual([]);
  });

  test("the index is listed over more than one page, while rows come and go", async () => {
    await using store = await openFixture(newStorage);
    const { records } = store;
    const long = "x".repeat(1_900); // several pages of any store
    const claims = (backup: number) => [...Array(20).keys()].map((n) => main(`${backup} ${n} ${long}`));
    // one after another: an emulator on a busy machine takes longer for all at once than the driver waits
    for (let backup = 0; backup < 52; backup++)
      await create(records, `b${backup}`, { claim: claims(backup) });
    const seen = new Map<string, number>();
    for await (const { backupId } of records.listFactors()) {
      if (seen.size === 0) await change(records, "b7", { release: claims(7).slice(1) });
      seen.set(backupId, (seen.get(backupId) ?? 0) + 1);
    }
    for (let backup = 0; backup < 52; backup++) if (backup !== 7) expect(seen.get(`b${backup}`)).toBe(20);
    expect(seen.get("b7")).toBeWithin(1, 21);
  });

  test("backups and index rows are listed after any of them, also after one that is gone", async () => {
    await using store = await openFixture(newStorage);
    const { records } = store;
    for (let backup = 0; backup < 12; backup++)
      await create(records, `b${backup}`, { claim: [main(`${backup}`)] });
    const backups = (await collect(records.list())).map(({ backupId }) => backupId);
    const rows = (await collect(records.listFactors())).map(({ factor }) => factor);
    for (const at of [0, 5, 11]) {
      expect((await collect(records.list(backups[at]))).map(({ backupId }) => backupId)).toEqual(
        backups.slice(at + 1),
      );
      expect((await collect(records.listFactors(rows[at]))).map(({ factor }) => factor)).toEqual(
        rows.slice(at + 1),
      );
    }
    const gone = backups[5] ?? "";
    const claimed = main(gone.slice(1));
    const before = { revision: await revisionOf(records, gone) };
    await records.commit({ backupId: gone, expect: before, next: null, release: [claimed] });
    expect((await collect(records.list(gone))).map(({ backupId }) => backupId)).toEqual(backups.slice(6));
    const at = rows.findIndex(({ key }) => key === records.asStored(claimed).key);
    expect((await collect(records.listFactors(rows[at]))).map(({ factor }) => factor)).toEqual(
      rows.slice(at + 1),
    );
  });

  test("expired rows are counted until they are swept", async () => {
    await using store = await openFixture(newStorage);
    const expiresAtMs = store.clock.nowMs() + MINUTE_MS;
    for (const id of ["a", "b"])
      await store.records.consume([once(id, store.clock)], undefined, [
        event(id, store.clock, { expiresAtMs }),
      ]);
    const later = event("a", store.clock, { expiresAtMs: expiresAtMs + 1 });
    await store.records.consume([], undefined, [later]);
    await store.records.addToCounter("c", 1, expiresAtMs);
    expect(await store.records.countExpired()).toBe(0);
    store.clock.advance(MINUTE_MS);
    const expired = await store.records.countExpired();
    expect([0, 5]).toContain(expired); // a store that expires rows by itself has none to count
    expect(await store.records.sweepExpired()).toBe(expired);
    expect(await store.records.countExpired()).toBe(0);
    expect(await eventsOf(store.records, "a")).toEqual([shown(later)]);
  });

  test("a store has one mark of an installation, and the last time at which that was seen", async () => {
    await using store = await openFixture(newStorage);
    await using other = await store.openAnother();
    for (const [marked, again] of [
      [store.records, other.records],
      [store.blobs, other.blobs],
    ] as const) {
      expect(await marked.installationId()).toBeNull();
      expect(await marked.lastSeenMs()).toBeNull();
      expect(await marked.markInstallation("id 1")).toBe("id 1");
      expect(await again.markInstallation("id 2")).toBe("id 1");
      expect(await again.installationId()).toBe("id 1");
      expect(await again.lastSeenMs()).toBeNull();
      for (const nowMs of [1_000, 2_000]) {
        await marked.markSeen(nowMs);
        expect(await again.lastSeenMs()).toBe(nowMs);
      }
    }
    await other.records.markSeen(1_999);
    expect(await store.records.lastSeenMs()).toBe(2_000);
    expect(await collect(store.blobs.list())).toEqual([]);
  });

  test("the size of a ciphertext is returned, whatever its content", async () => {
    await using store = await openFixture(newStorage);
    for (const size of [0, 1, 300_000]) {
      const { key } = await store.blobs.put("b1", [Buffer.alloc(size)]);
      expect(await store.blobs.sizeOf(key)).toBe(size);
      await store.storage.overwriteBlob(key, Buffer.alloc(7));
      expect(await store.blobs.sizeOf(key)).toBe(7);
      await store.blobs.delete(key);
      expect(await store.blobs.sizeOf(key)).toBeNull();
    }
    for (const key of ["b1/blobs/x", "../records.sqlite", "none"])
      expect(await store.blobs.sizeOf(key)).toBeNull();
  });
}

async function index(records: InspectableRecords): Promise<string[][]> {
  const rows = await collect(records.listFactors());
  return rows.map(({ factor, backupId }) => [factor.scope, factor.key, backupId]).sort();
}

async function change(
  records: InspectableRecords,
  backupId: string,
  rows: { readonly claim?: readonly FactorRef[]; readonly release?: readonly FactorRef[] },
): Promise<void> {
  const revision = await revisionOf(records, backupId);
  const outcome = await records.commit({ backupId, expect: { revision }, next: record(backupId), ...rows });
  expect(outcome).toBe("committed");
}
