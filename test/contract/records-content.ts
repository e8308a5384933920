import { expect, test } from "bun:test";
import fc from "fast-check";
import { factorKeys, type JsonObject } from "../../src/storage/contract.ts";
import {
  atOnce,
  backupOf,
  collect,
  create,
  main,
  type NewStorage,
  openFixture,
  record,
  revisionOf,
  version,
} from "./fixture.ts";

/** Keys that must not be confused with each other, whatever the store does to them. */
const ODD_KEYS = [
  "",
  " ",
  "a",
  "A",
  "a ",
  "a#b",
  "#",
  "MAIN#a",
  "SYNC#a",
  "a\u0000b",
  "a\u0000c",
  "a\nb",
  "'; DROP TABLE backups; --",
  '"\\"',
  "%",
  "_",
  "é",
  "e\u0301",
  "ß",
  "ss",
  "🗝️",
  "🗝",
  "\u{10ffff}",
  "\uffff",
  "\ufffd",
  "\ud800",
  "SHA-256|0",
  "\udfff",
  "ключ",
  "鍵",
  "א\u200f",
  factorKeys.oidcAccount("https://accounts.google.com", "1|2"),
  factorKeys.oidcAccount("https://accounts.google.com|1", "2|"),
  factorKeys.passkey("x".repeat(1364)),
  "k".repeat(2043),
  "k".repeat(2044),
  "k".repeat(4096),
  `${"k".repeat(4095)}K`,
  "é".repeat(2048),
];

/** What may be stored: any JSON, any key, more than fits one page. */
export function contentContract(newStorage: NewStorage): void {
  test("each odd factor key leads to the backup that claimed it and to no other", async () => {
    await using store = await openFixture(newStorage);
    await atOnce(ODD_KEYS.length, (index) =>
      create(store.records, `b${index}`, { claim: [main(ODD_KEYS[index] ?? "")] }),
    );
    for (const [index, key] of ODD_KEYS.entries())
      expect(await backupOf(store.records, main(key))).toBe(`b${index}`);

    for (const [index, key] of ODD_KEYS.entries()) {
      const backupId = `b${index}`;
      const revision = await revisionOf(store.records, backupId);
      expect(
        await store.records.commit({ backupId, expect: { revision }, next: null, release: [main(key)] }),
      ).toBe("committed");
      expect(await backupOf(store.records, main(key))).toBeNull();
    }
  });

  test("long and odd ids of nonces are distinguished", async () => {
    await using store = await openFixture(newStorage);
    const ids = ODD_KEYS.filter((id) => id !== "");
    const values = ids.map((id) => ({ id, expiresAtMs: store.clock.nowMs() + 1 }));
    for (const value of values) expect(await store.records.consume([value])).not.toBeNull();
    for (const value of values) expect(await store.records.consume([value])).toBeNull();
  });

  test("metadata is returned with every member, byte for byte", async () => {
    await using store = await openFixture(newStorage);
    let revision = await create(store.records, "b1");
    const anything = fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue({ stringUnit: "binary" }));
    await fc.assert(
      fc.asyncProperty(anything, async (members) => {
        // a round trip through JSON first: JSON has neither -0 nor undefined
        const metadata: JsonObject = JSON.parse(JSON.stringify(members));
        const next = { ...record("b1"), metadata };
        expect(await store.records.commit({ backupId: "b1", expect: { revision }, next })).toBe("committed");
        const stored = await store.records.read("b1");
        expect(JSON.stringify(stored?.metadata)).toBe(JSON.stringify(metadata));
        revision = stored?.revision ?? "";
      }),
      { numRuns: 60 },
    );
  });

  test.each([
    ["a member called __proto__", '{"__proto__":{"admin":true},"constructor":1,"toString":null}'],
    ["members named like numbers", '{"b":1,"a":2,"10":3,"9":4}'],
    ["the limits of numbers", '{"n":[0,-1,1.5,9007199254740991,1e308,5e-324]}'],
    ["half a surrogate pair, NUL and the byte order mark", '{"\\ud800":"\\udc00","\\u0000":"\\ufeff"}'],
    ["the empty object", "{}"],
    ["the empty name and the empty text", '{"":"","list":[],"object":{}}'],
  ])("metadata keeps %s", async (_name, json) => {
    await using store = await openFixture(newStorage);
    const metadata: JsonObject = JSON.parse(json);
    await create(store.records, "b1", { next: { ...record("b1"), metadata } });
    expect(JSON.stringify((await store.records.read("b1"))?.metadata)).toBe(JSON.stringify(metadata));
  });

  test("metadata of 350 KB is stored", async () => {
    await using store = await openFixture(newStorage);
    const next = record("large", { filling: "ä".repeat(175_000) });
    await create(store.records, "b1", { next });
    expect(await store.records.read("b1")).toMatchObject(next);
  });

  test("the reference to a blob is returned as it was", async () => {
    await using store = await openFixture(newStorage);
    const blob = { key: "b1/blobs/é 'x'", size: 15 * 1024 * 1024, sha256: "ab".repeat(32) };
    await create(store.records, "b1", { next: { blob, metadata: {}, versions: [] } });
    expect((await store.records.read("b1"))?.blob).toEqual(blob);
    expect(await collect(store.records.list())).toEqual([
      { backupId: "b1", blobs: [blob], changedAtMs: store.clock.nowMs() },
    ]);
  });

  test("the versions of a record are returned as they were stored, and their blobs are listed after its own", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const [newer, older] = [version("newer"), version("older")];
    const next = { ...record("b1"), versions: [newer, older] };
    const revision = await create(records, "b1", { next });
    expect(await records.read("b1")).toMatchObject(next);
    const blobs = [next.blob, newer.blob, older.blob];
    expect(await collect(records.list())).toEqual([{ backupId: "b1", blobs, changedAtMs: clock.nowMs() }]);
    await records.commit({ backupId: "b1", expect: { revision }, next: { ...next, versions: [] } });
    expect((await records.read("b1"))?.versions).toEqual([]);
    expect(await collect(records.list())).toMatchObject([{ blobs: [next.blob] }]);
  });

  test("a record has the time of its last change, unless the change brings one with it", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    await create(records, "b1");
    clock.advance(5_000);
    const revision = await revisionOf(records, "b1");
    await records.commit({ backupId: "b1", expect: { revision }, next: record("b1") });
    const changed = await records.read("b1");
    expect(changed?.changedAtMs).toBe(clock.nowMs());

    clock.advance(5_000);
    const expected = { revision: changed?.revision ?? "" };
    await records.commit({ backupId: "b1", expect: expected, next: changed });
    expect(await records.read("b1")).toEqual({
      ...record("b1"),
      revision: expect.not.stringContaining(expected.revision),
      changedAtMs: clock.nowMs() - 5_000,
    });
    expect((await collect(records.list())).map(({ changedAtMs }) => changedAtMs)).toEqual([
      clock.nowMs() - 5_000,
    ]);
  });

  test("the list has every backup once, over more than one page", async () => {
    await using store = await openFixture(newStorage);
    const ids = Array.from({ length: 510 }, (_, index) => `backup ${index}`);
    const filling = "x".repeat(4_000);
    for (let start = 0; start < ids.length; start += 30)
      await Promise.all(
        ids
          .slice(start, start + 30)
          .map((backupId) =>
            store.records.commit({ backupId, expect: "absent", next: record(backupId, { filling }) }),
          ),
      );
    const listed = await collect(store.records.list());
    expect(listed.map((entry) => entry.backupId).sort()).toEqual([...ids].sort());
    for (const { backupId, blobs } of listed) expect(blobs).toEqual([record(backupId).blob]);

    let iterations = 0;
    let isListing = true;
    const iterate = () => {
      iterations += 1;
      if (isListing) setImmediate(iterate);
    };
    setImmediate(iterate);
    for await (const _entry of store.records.list());
    isListing = false;
    expect(iterations).toBeGreaterThan(0); // the event loop runs between pages
  });

  test("a list that is read slowly has what stays, while other backups come and go", async () => {
    await using store = await openFixture(newStorage);
    const filling = "x".repeat(300_000); // several pages of any store
    const revisions = new Map<string, string>();
    for (const backupId of ["b1", "b2", "b3", "b4", "b5", "b6"])
      revisions.set(backupId, await create(store.records, backupId, { next: record(backupId, { filling }) }));
    const listed: string[] = [];
    for await (const { backupId } of store.records.list()) {
      if (listed.length === 0) {
        const victim = backupId === "b1" ? "b2" : "b1";
        const revision = revisions.get(victim) ?? "";
        await store.records.commit({ backupId: victim, expect: { revision }, next: null });
        revisions.delete(victim);
      }
      listed.push(backupId);
    }
    expect(listed).toEqual(expect.arrayContaining([...revisions.keys()]));
    expect(new Set(listed).size).toBe(listed.length);
  });
}
