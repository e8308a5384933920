import { expect, test } from "bun:test";
import { atOnce, MINUTE_MS, type NewStorage, openFixture, token } from "./fixture.ts";

/** Counters, and tokens that a commit issues. */
export function countersContract(newStorage: NewStorage): void {
  test("a counter sums what is added to it, each under its id", async () => {
    await using store = await openFixture(newStorage);
    const expiresAtMs = store.clock.nowMs() + MINUTE_MS;
    expect(await store.records.addToCounter("a", 3, expiresAtMs)).toBe(3);
    expect(await store.records.addToCounter("a", 4, expiresAtMs)).toBe(7);
    expect(await store.records.addToCounter("b", 1, expiresAtMs)).toBe(1);
  });

  test("fifty additions at once are all counted", async () => {
    await using store = await openFixture(newStorage);
    const expiresAtMs = store.clock.nowMs() + MINUTE_MS;
    const sums = await atOnce(50, () => store.records.addToCounter("a", 2, expiresAtMs));
    expect(Math.max(...sums)).toBe(100);
    expect(new Set(sums).size).toBe(50);
  });

  test("a counter is no nonce and no token", async () => {
    await using store = await openFixture(newStorage);
    const expiresAtMs = store.clock.nowMs() + MINUTE_MS;
    await store.records.addToCounter("x", 1, expiresAtMs);
    expect(await store.records.readToken("x")).toBeNull();
    expect(await store.records.consume([{ id: "x", expiresAtMs }])).not.toBeNull();
  });

  test("a commit issues a token together with its change, or neither", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const next = { blob: { key: "k", size: 1, sha256: "s" }, metadata: {}, versions: [] };
    const issue = token("t1", "b1", clock);
    expect(await records.commit({ backupId: "b1", expect: "absent", next, issue })).toBe("committed");
    expect(await records.readToken("t1")).toEqual({ backupId: "b1", holder: "holder", redeemed: false });

    const other = token("t2", "b1", clock);
    expect(await records.commit({ backupId: "b1", expect: "absent", next, issue: other })).toBe("exists");
    expect(await records.readToken("t2")).toBeNull();

    const again = records.commit({ backupId: "b2", expect: "absent", next, issue });
    expect(await again.catch((error: Error) => error.message)).toContain("already issued");
    expect(await records.read("b2")).toBeNull();
  });
}
