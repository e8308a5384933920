import { expect, test } from "bun:test";
import type { Change } from "../../src/storage/contract.ts";
import {
  atOnce,
  backupOf,
  collect,
  create,
  labelOf,
  MINUTE_MS,
  main,
  type NewStorage,
  once,
  openFixture,
  record,
  revisionOf,
  sync,
  token,
} from "./fixture.ts";

/** What a commit does, what it refuses, and that a refused one leaves no trace. */
export function commitContract(newStorage: NewStorage): void {
  test("what is not stored is null", async () => {
    await using store = await openFixture(newStorage);
    expect(await store.records.read("b1")).toBeNull();
    expect(await store.records.readToken("t1")).toBeNull();
    expect(await store.records.locate(main("f1"), [once("n1", store.clock)])).toEqual({
      backupId: null,
      consumed: false,
    });
    expect(await store.records.locate(main("f1"), [])).toEqual({ backupId: null, consumed: false });
    expect(await store.records.isConsumed([once("n1", store.clock)])).toBe(false);
    expect(await store.records.isConsumed([])).toBe(false);
    expect(await collect(store.records.list())).toEqual([]);
  });

  test("a new backup is read back, and found by each of its factors in their own scope", async () => {
    await using store = await openFixture(newStorage);
    const next = record("first", { nested: { list: [1, "two", null, true] } });
    const claim = [main("f1"), main("f2"), sync("f3")];
    expect(await store.records.commit({ backupId: "b1", expect: "absent", next, claim })).toBe("committed");

    expect(await store.records.read("b1")).toEqual({
      ...next,
      revision: await revisionOf(store.records, "b1"),
      changedAtMs: store.clock.nowMs(),
    });
    for (const factor of claim) expect(await backupOf(store.records, factor)).toBe("b1");
    expect(await backupOf(store.records, sync("f1"))).toBeNull();
    expect(await backupOf(store.records, main("f3"))).toBeNull();
  });

  test("the same key may be a main factor of one backup and a sync factor of another", async () => {
    await using store = await openFixture(newStorage);
    await create(store.records, "b1", { claim: [main("f1")] });
    await create(store.records, "b2", { claim: [sync("f1")] });
    expect(await backupOf(store.records, main("f1"))).toBe("b1");
    expect(await backupOf(store.records, sync("f1"))).toBe("b2");
  });

  test("every commit gives a fresh revision, and only the current one is accepted", async () => {
    await using store = await openFixture(newStorage);
    const seen = [await create(store.records, "b1")];
    for (const label of ["second", "third"]) {
      const revision = seen.at(-1) ?? "";
      const change: Change = { backupId: "b1", expect: { revision }, next: record(label) };
      expect(await store.records.commit(change)).toBe("committed");
      expect(await store.records.commit(change)).toBe("revision");
      expect(await labelOf(store.records, "b1")).toBe(label);
      seen.push(await revisionOf(store.records, "b1"));
    }
    expect(new Set(seen).size).toBe(3);
  });

  test("a deleted backup is absent, and its revision is not accepted after it was created again", async () => {
    await using store = await openFixture(newStorage);
    const revision = await create(store.records, "b1", { claim: [main("f1")] });
    const change: Change = { backupId: "b1", expect: { revision }, next: null, release: [main("f1")] };
    expect(await store.records.commit(change)).toBe("committed");
    expect(await store.records.read("b1")).toBeNull();
    expect(await backupOf(store.records, main("f1"))).toBeNull();
    expect(await collect(store.records.list())).toEqual([]);
    expect(await store.records.commit(change)).toBe("revision");

    expect(await create(store.records, "b1", { claim: [main("f1")] })).not.toBe(revision);
    expect(await store.records.commit(change)).toBe("revision");
    expect(await labelOf(store.records, "b1")).toBe("b1");
  });

  test("a change that expects nothing and stores nothing still consumes its nonces", async () => {
    await using store = await openFixture(newStorage);
    const consume = [once("n1", store.clock)];
    const change: Change = { backupId: "b1", expect: "absent", next: null, consume };
    expect(await store.records.commit(change)).toBe("committed");
    expect(await store.records.read("b1")).toBeNull();
    expect(await store.records.commit(change)).toBe("consumed");
    await create(store.records, "b1");
    expect(await store.records.commit({ ...change, consume: [] })).toBe("exists");
  });

  test("a factor is claimed once, even by the same backup, until it is released", async () => {
    await using store = await openFixture(newStorage);
    const revision = await create(store.records, "b1", { claim: [main("f1")] });
    const second: Change = { backupId: "b2", expect: "absent", next: record("b2"), claim: [main("f1")] };
    expect(await store.records.commit(second)).toBe("factor-claimed");
    expect(
      await store.records.commit({
        backupId: "b1",
        expect: { revision },
        next: record("again"),
        claim: [main("f1")],
      }),
    ).toBe("factor-claimed");
    expect(
      await store.records.commit({
        backupId: "b1",
        expect: { revision },
        next: record("without"),
        release: [main("f1")],
      }),
    ).toBe("committed");
    expect(await store.records.commit(second)).toBe("committed");
    expect(await backupOf(store.records, main("f1"))).toBe("b2");
  });

  test("a factor that is claimed and released at once must still be free", async () => {
    await using store = await openFixture(newStorage);
    const revision = await create(store.records, "b1", { claim: [main("f1")] });
    const swap = { claim: [main("f1")], release: [main("f1")] };
    const next = record("b1");
    expect(await store.records.commit({ backupId: "b1", expect: { revision }, next, ...swap })).toBe(
      "factor-claimed",
    );
    expect(await store.records.commit({ backupId: "b2", expect: "absent", next, ...swap })).toBe(
      "factor-claimed",
    );
    const free = { claim: [main("f2")], release: [main("f2")] };
    expect(await store.records.commit({ backupId: "b1", expect: { revision }, next, ...free })).toBe(
      "committed",
    );
    expect(await backupOf(store.records, main("f2"))).toBe("b1");
  });

  test("rows of other backups and of none are left alone by a release", async () => {
    await using store = await openFixture(newStorage);
    await create(store.records, "b2", { claim: [main("theirs"), sync("theirs")] });
    const revision = await create(store.records, "b1", { claim: [main("ours")] });
    const change: Change = {
      backupId: "b1",
      expect: { revision },
      next: record("after"),
      claim: [sync("new")],
      release: [main("theirs"), main("ours"), main("unclaimed"), sync("theirs")],
      consume: [once("n1", store.clock)],
    };
    expect(await store.records.commit(change)).toBe("committed");
    expect(await labelOf(store.records, "b1")).toBe("after");
    expect(await backupOf(store.records, main("theirs"))).toBe("b2");
    expect(await backupOf(store.records, sync("theirs"))).toBe("b2");
    expect(await backupOf(store.records, main("ours"))).toBeNull();
    expect(await backupOf(store.records, sync("new"))).toBe("b1");
    expect(await store.records.commit(change)).toBe("consumed");
  });

  test("a deletion releases its rows however many, and no others", async () => {
    await using store = await openFixture(newStorage);
    const { records } = store;
    const ours = Array.from({ length: 250 }, (_, index) => main(`ours ${index}`));
    await create(records, "b2", { claim: [main("theirs 1"), main("theirs 2")] });
    await create(records, "b1");
    for (let start = 0; start < ours.length; start += 50)
      await records.commit({
        backupId: "b1",
        expect: { revision: await revisionOf(records, "b1") },
        next: record("b1"),
        claim: ours.slice(start, start + 50),
      });
    const revision = await revisionOf(records, "b1");
    const release = [main("theirs 1"), ...ours, main("theirs 2"), main("unclaimed"), ...ours];
    const deletion: Change = { backupId: "b1", expect: { revision }, next: null, release };
    const nonce = once("n1", store.clock);
    expect(await records.commit({ ...deletion, expect: { revision: "outdated" } })).toBe("revision");
    expect(await Array.fromAsync(records.listFactors())).toHaveLength(252);
    expect(await records.commit({ ...deletion, consume: [nonce] })).toBe("committed");
    expect(await records.read("b1")).toBeNull();
    const left = await Array.fromAsync(records.listFactors());
    expect(left.map(({ factor, backupId }) => [factor.key, backupId]).sort()).toEqual([
      ["theirs 1", "b2"],
      ["theirs 2", "b2"],
    ]);
    expect(await records.commit({ ...deletion, consume: [nonce] })).toBe("consumed");
  });

  test("a row or value that is named twice counts once", async () => {
    await using store = await openFixture(newStorage);
    const twice = [main("f1"), main("f1")];
    const value = once("n1", store.clock);
    const revision = await create(store.records, "b1", { claim: twice, consume: [value, value] });
    expect(await backupOf(store.records, main("f1"))).toBe("b1");
    expect(await store.records.locate(main("f1"), [value, value])).toEqual({
      backupId: "b1",
      consumed: true,
    });
    const change: Change = { backupId: "b1", expect: { revision }, next: record("b1"), release: twice };
    expect(await store.records.commit(change)).toBe("committed");
    expect(await backupOf(store.records, main("f1"))).toBeNull();
  });

  test("a creation may claim any number of index rows, of which all are claimed or none", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const factors = Array.from({ length: 150 }, (_, index) => main(`f${index}`));
    await create(records, "other", { claim: [main("f149")] });
    const change: Change = { backupId: "b1", expect: "absent", next: record("b1"), claim: factors };
    expect(await records.commit(change)).toBe("factor-claimed");
    const used = once("used", clock);
    await records.consume([used]);
    expect(await records.commit({ ...change, consume: [used] })).toBe("consumed");
    expect(await records.commit({ ...change, backupId: "other" })).toBe("exists");
    const bringBack = { deletionId: crypto.randomUUID(), deletedAtMs: 1 };
    expect(await records.commit({ ...change, bringBack })).toBe("not-kept");
    const free = factors.slice(0, -1);
    expect(await records.commit({ ...change, claim: free, bringBack })).toBe("not-kept");
    expect((await collect(records.listFactors())).map(({ backupId }) => backupId)).toEqual(["other"]);
    expect(await records.commit({ ...change, claim: [...free, ...free] })).toBe("committed");
    expect((await collect(records.listFactors())).filter(({ backupId }) => backupId === "b1")).toHaveLength(
      149,
    );
  });

  const failing = {
    consumed: { consume: ["used"] },
    "token redeemed": { redeem: "used token" },
    exists: { expect: "absent" },
    revision: { expect: { revision: "outdated" } },
    "factor-claimed": { claim: [main("taken")] },
  } as const;
  const reported = [
    { conflict: "consumed", of: ["consumed", "exists", "factor-claimed"] },
    { conflict: "consumed", of: ["token redeemed", "revision", "factor-claimed"] },
    { conflict: "consumed", of: ["consumed", "token redeemed"] },
    { conflict: "consumed", of: ["token redeemed", "exists"] },
    { conflict: "exists", of: ["exists", "factor-claimed"] },
    { conflict: "revision", of: ["revision", "factor-claimed"] },
    { conflict: "factor-claimed", of: ["factor-claimed"] },
    { conflict: "exists", of: ["exists"] },
    { conflict: "revision", of: ["revision"] },
  ] as const;
  for (const { conflict, of } of reported)
    test(`of ${of.join(" + ")} "${conflict}" is reported, and nothing is changed`, async () => {
      await using store = await openFixture(newStorage);
      const { records, clock } = store;
      await create(records, "other", { claim: [main("taken")] });
      const first = await create(records, "b1", { claim: [main("ours")], consume: [once("used", clock)] });
      expect(await records.consume([], token("used token", "b1", clock))).not.toBeNull();
      expect(await records.consume([], token("good token", "b1", clock))).not.toBeNull();
      const redeemed: Change = { backupId: "b1", expect: { revision: first }, next: record("b1") };
      expect(await records.commit({ ...redeemed, redeem: "used token" })).toBe("committed");
      const revision = await revisionOf(records, "b1");

      const faults = Object.assign({}, ...of.map((name) => failing[name]));
      const fresh = once("fresh", clock);
      const outcome = await records.commit({
        backupId: "b1",
        expect: { revision },
        next: record("changed"),
        redeem: "good token",
        ...faults,
        claim: [main("new 1"), ...(faults.claim ?? []), sync("new 2")],
        release: [main("ours")],
        consume: [fresh, ...(faults.consume ?? []).map((id: string) => once(id, clock))],
      });

      expect(outcome).toBe(conflict);
      expect(await revisionOf(records, "b1")).toBe(revision);
      expect(await labelOf(records, "b1")).toBe("b1");
      expect(await backupOf(records, main("new 1"))).toBeNull();
      expect(await backupOf(records, sync("new 2"))).toBeNull();
      expect(await backupOf(records, main("ours"))).toBe("b1");
      expect(await backupOf(records, main("taken"))).toBe("other");
      expect(await records.isConsumed([fresh])).toBe(false);
      expect(await records.readToken("good token")).toEqual({
        backupId: "b1",
        holder: "holder",
        redeemed: false,
      });
    });

  test("two stores on one storage see each other's commits at once", async () => {
    await using store = await openFixture(newStorage);
    await using other = await store.openAnother();
    const revision = await create(store.records, "b1", { claim: [main("f1")] });
    expect(await revisionOf(other.records, "b1")).toBe(revision);
    expect(await backupOf(other.records, main("f1"))).toBe("b1");
    expect(
      await other.records.commit({ backupId: "b1", expect: { revision }, next: record("by the other") }),
    ).toBe("committed");
    expect(await labelOf(store.records, "b1")).toBe("by the other");
    expect(await store.records.commit({ backupId: "b1", expect: { revision }, next: record("late") })).toBe(
      "revision",
    );
  });

  test("what was committed is found after the store is opened again", async () => {
    await using store = await openFixture(newStorage);
    const value = once("n1", store.clock);
    {
      await using other = await store.openAnother();
      await create(other.records, "b1", { claim: [main("f1")], consume: [value] });
    }
    await using again = await store.openAnother();
    expect(await again.records.locate(main("f1"), [value])).toEqual({ backupId: "b1", consumed: true });
    expect(await labelOf(again.records, "b1")).toBe("b1");
  });

  test("a store that is set up is ready", async () => {
    await using store = await openFixture(newStorage);
    await store.records.ready();
    await atOnce(5, () => store.records.ready());
  });

  test("a store that is set up takes writes, of which nothing shows afterwards", async () => {
    await using store = await openFixture(newStorage);
    const { records } = store;
    await create(records, "b1", { claim: [main("f1")] });
    await atOnce(5, () => records.writable());
    store.clock.advance(24 * 60 * MINUTE_MS);
    expect((await collect(records.list())).map(({ backupId }) => backupId)).toEqual(["b1"]);
    expect((await collect(records.listFactors())).map(({ backupId }) => backupId)).toEqual(["b1"]);
    expect([await records.countExpired(), await records.sweepExpired()]).toEqual([0, 0]);
  });
}
