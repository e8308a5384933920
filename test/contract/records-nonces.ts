import { expect, test } from "bun:test";
import type { Change } from "../../src/storage/contract.ts";
import {
  create,
  labelOf,
  MINUTE_MS,
  type NewStorage,
  once,
  openFixture,
  record,
  revisionOf,
  token,
} from "./fixture.ts";

/** Nonces, and sync factor tokens. */
export function noncesContract(newStorage: NewStorage): void {
  test("a nonce that a commit consumed is consumed for every other use", async () => {
    await using store = await openFixture(newStorage);
    const nonce = once("n1", store.clock);
    await create(store.records, "b1", { consume: [nonce] });
    expect(await store.records.isConsumed([nonce])).toBe(true);
    expect(await store.records.consume([nonce])).toBeNull();
    expect(
      await store.records.commit({ backupId: "b2", expect: "absent", next: record("b2"), consume: [nonce] }),
    ).toBe("consumed");
    expect(await store.records.read("b2")).toBeNull();
  });

  test("a nonce can be consumed by itself, once", async () => {
    await using store = await openFixture(newStorage);
    const nonce = once("n1", store.clock);
    expect(await store.records.isConsumed([nonce])).toBe(false);
    expect(await store.records.consume([nonce])).not.toBeNull();
    expect(await store.records.isConsumed([nonce])).toBe(true);
    expect(await store.records.consume([nonce])).toBeNull();
  });

  test("nothing to consume is no conflict", async () => {
    await using store = await openFixture(newStorage);
    expect(await store.records.consume([])).not.toBeNull();
    expect(await store.records.consume([])).not.toBeNull();
  });

  test("of several nonces one that was consumed refuses all, and the others stay as they were", async () => {
    await using store = await openFixture(newStorage);
    const [a, b, c] = [once("a", store.clock), once("b", store.clock), once("c", store.clock)];
    expect(await store.records.consume([b])).not.toBeNull();
    expect(await store.records.consume([a, b, c], token("t1", "b1", store.clock))).toBeNull();
    expect(await store.records.isConsumed([a])).toBe(false);
    expect(await store.records.isConsumed([c])).toBe(false);
    expect(await store.records.readToken("t1")).toBeNull();
    expect(await store.records.isConsumed([a, b, c])).toBe(true);
    expect(await store.records.consume([a, c], token("t1", "b1", store.clock))).not.toBeNull();
    expect(await store.records.readToken("t1")).toEqual({
      backupId: "b1",
      holder: "holder",
      redeemed: false,
    });
  });

  test("a nonce is remembered until exactly its expiry, deleted or not", async () => {
    await using store = await openFixture(newStorage);
    const nonce = once("n1", store.clock);
    expect(await store.records.consume([nonce])).not.toBeNull();
    store.clock.set(nonce.expiresAtMs - 1);
    expect(await store.records.isConsumed([nonce])).toBe(true);
    expect(await store.records.consume([nonce])).toBeNull();
    store.clock.set(nonce.expiresAtMs);
    expect(await store.records.isConsumed([nonce])).toBe(false);
    await create(store.records, "b1", { consume: [once("n1", store.clock)] });
    expect(await store.records.isConsumed([nonce])).toBe(true);
    store.clock.advance(MINUTE_MS);
    expect(await store.records.consume([once("n1", store.clock)])).not.toBeNull();
  });

  test("what has expired is swept away and the rest stays", async () => {
    await using store = await openFixture(newStorage);
    for (const id of ["a", "b"]) await store.records.consume([once(id, store.clock)]);
    store.clock.advance(MINUTE_MS / 2);
    const late = once("late", store.clock);
    await store.records.consume([late], token("t1", "b1", store.clock));
    store.clock.advance(MINUTE_MS / 2);
    expect([0, 2]).toContain(await store.records.sweepExpired());
    expect(await store.records.sweepExpired()).toBe(0);
    expect(await store.records.isConsumed([late])).toBe(true);
    expect(await store.records.readToken("t1")).toEqual({
      backupId: "b1",
      holder: "holder",
      redeemed: false,
    });
  });

  test("a sync factor token is read until its expiry, and a nonce is not a token", async () => {
    await using store = await openFixture(newStorage);
    const issued = token("t1", "b1", store.clock);
    expect(await store.records.consume([once("n1", store.clock)], issued)).not.toBeNull();
    expect(await store.records.readToken("n1")).toBeNull();
    store.clock.set(issued.expiresAtMs - 1);
    expect(await store.records.readToken("t1")).toEqual({
      backupId: "b1",
      holder: "holder",
      redeemed: false,
    });
    store.clock.set(issued.expiresAtMs);
    expect(await store.records.readToken("t1")).toBeNull();
  });

  test("a token is redeemed once, with the change that uses it", async () => {
    await using store = await openFixture(newStorage);
    const revision = await create(store.records, "b1");
    await store.records.consume([], token("t1", "b1", store.clock));
    const change: Change = { backupId: "b1", expect: { revision }, next: record("after"), redeem: "t1" };
    expect(await store.records.commit(change)).toBe("committed");
    expect(await labelOf(store.records, "b1")).toBe("after");
    expect(await store.records.readToken("t1")).toEqual({ backupId: "b1", holder: "holder", redeemed: true });
    const again = { ...change, expect: { revision: await revisionOf(store.records, "b1") } };
    expect(await store.records.commit(again)).toBe("consumed");
  });

  test.each([
    ["was never issued", "unknown", 0],
    ["has expired", "good", MINUTE_MS],
    ["is of another backup", "other", 0],
    ["is a nonce", "plain", 0],
  ])("a token that %s cannot be redeemed", async (_name, redeem, passedMs) => {
    await using store = await openFixture(newStorage);
    const revision = await create(store.records, "b1", { consume: [once("plain", store.clock)] });
    await store.records.consume([], token("good", "b1", store.clock));
    await store.records.consume([], token("other", "b2", store.clock));
    store.clock.advance(passedMs);
    const change: Change = { backupId: "b1", expect: { revision }, next: record("after"), redeem };
    expect(await store.records.commit(change)).toBe("consumed");
    expect(await revisionOf(store.records, "b1")).toBe(revision);
    if (redeem === "other")
      expect(await store.records.readToken("other")).toEqual({
        backupId: "b2",
        holder: "holder",
        redeemed: false,
      });
  });

  test("a token is good until the last millisecond", async () => {
    await using store = await openFixture(newStorage);
    const revision = await create(store.records, "b1");
    const issued = token("t1", "b1", store.clock);
    await store.records.consume([], issued);
    store.clock.set(issued.expiresAtMs - 1);
    expect(
      await store.records.commit({ backupId: "b1", expect: { revision }, next: null, redeem: "t1" }),
    ).toBe("committed");
  });

  test("an id cannot be a token and a nonce in one change", async () => {
    await using store = await openFixture(newStorage);
    await store.records.consume([], token("t1", "b1", store.clock));
    for (const id of ["t1", "unknown"])
      expect(
        await store.records.commit({
          backupId: "b1",
          expect: "absent",
          next: record("b1"),
          redeem: id,
          consume: [once(id, store.clock)],
        }),
      ).toBe("consumed");
    expect(await store.records.consume([once("t1", store.clock)])).toBeNull();
    expect(await store.records.readToken("t1")).toEqual({
      backupId: "b1",
      holder: "holder",
      redeemed: false,
    });
  });

  test("a token is never issued over one that is still good, only over an expired one", async () => {
    await using store = await openFixture(newStorage);
    await store.records.consume([], token("t1", "b1", store.clock));
    const nonce = once("n1", store.clock);
    await expect(store.records.consume([nonce], token("t1", "b2", store.clock))).rejects.toThrow(
      /already issued/,
    );
    expect(await store.records.readToken("t1")).toEqual({
      backupId: "b1",
      holder: "holder",
      redeemed: false,
    });
    expect(await store.records.isConsumed([nonce])).toBe(false);
    store.clock.advance(MINUTE_MS);
    const later = once("n1", store.clock);
    expect(await store.records.consume([later], token("t1", "b2", store.clock))).not.toBeNull();
    expect(await store.records.readToken("t1")).toEqual({
      backupId: "b2",
      holder: "holder",
      redeemed: false,
    });
  });

  test("a marked nonce counts as consumed until its latest expiry, whether or not it was before", async () => {
    await using store = await openFixture(newStorage);
    const [mark, nonce] = [once("mark", store.clock), once("nonce", store.clock)];
    await create(store.records, "b1", { mark: [mark, mark], consume: [nonce] });
    expect(await store.records.isConsumed([mark])).toBe(true);
    expect(await store.records.consume([mark])).toBeNull();

    store.clock.advance(MINUTE_MS / 2);
    const later = once("mark", store.clock);
    await create(store.records, "b2", { mark: [later] });
    store.clock.set(mark.expiresAtMs);
    expect(await store.records.isConsumed([later])).toBe(true);
    store.clock.set(later.expiresAtMs);
    expect(await store.records.isConsumed([later])).toBe(false);
  });

  test("a change that is not made marks nothing, and a change may consume and mark the same nonce", async () => {
    await using store = await openFixture(newStorage);
    const [mark, nonce] = [once("mark", store.clock), once("nonce", store.clock)];
    await create(store.records, "b1", { consume: [nonce] });
    const change: Change = { backupId: "b2", expect: "absent", next: record("b2"), mark: [mark] };
    expect(await store.records.commit({ ...change, consume: [nonce] })).toBe("consumed");
    expect(await store.records.commit({ ...change, expect: { revision: "none" } })).toBe("revision");
    expect(await store.records.isConsumed([mark])).toBe(false);
    expect(await store.records.commit({ ...change, consume: [mark] })).toBe("committed");
    expect(await store.records.commit({ ...change, backupId: "b3", consume: [mark] })).toBe("consumed");
    expect(await store.records.read("b3")).toBeNull();
  });
}
