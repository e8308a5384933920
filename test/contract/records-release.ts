import { expect, test } from "bun:test";
import type { Consumption } from "../../src/storage/contract.ts";
import {
  atOnce,
  create,
  type Fixture,
  MINUTE_MS,
  type NewStorage,
  once,
  openFixture,
  record,
  token,
} from "./fixture.ts";

/** What becomes of nonces whose operation could not be carried out. */
export function releaseContract(newStorage: NewStorage): void {
  async function consumed(
    store: Pick<Fixture, "records">,
    ...nonces: Parameters<Fixture["records"]["consume"]>
  ): Promise<Consumption> {
    const consumption = await store.records.consume(...nonces);
    if (consumption === null) throw new Error("one of the nonces was consumed before");
    return consumption;
  }

  test("nonces that are released can be consumed again, and those of other calls cannot", async () => {
    await using store = await openFixture(newStorage);
    const [a, b, other] = [once("a", store.clock), once("b", store.clock), once("other", store.clock)];
    const consumption = await consumed(store, [a, b]);
    await consumed(store, [other]);
    await consumption.release();
    expect(await store.records.isConsumed([a, b])).toBe(false);
    expect(await store.records.isConsumed([other])).toBe(true);
    await consumed(store, [a, b]);
  });

  test("nonces that were found consumed belong to the call that consumed them", async () => {
    await using store = await openFixture(newStorage);
    const [first, fresh] = [once("first", store.clock), once("fresh", store.clock)];
    const consumption = await consumed(store, [first]);
    expect(await store.records.consume([first, fresh])).toBeNull();
    await consumption.release();
    await consumed(store, [first, fresh]);
  });

  test("a nonce that is named twice is released", async () => {
    await using store = await openFixture(newStorage);
    const nonce = once("n1", store.clock);
    await (await consumed(store, [nonce, nonce])).release();
    expect(await store.records.isConsumed([nonce])).toBe(false);
  });

  test("a release that is repeated leaves alone what the same nonce was consumed for meanwhile", async () => {
    await using store = await openFixture(newStorage);
    const nonce = once("n1", store.clock);
    const first = await consumed(store, [nonce]);
    await first.release();
    await consumed(store, [nonce]);
    await first.release();
    expect(await store.records.isConsumed([nonce])).toBe(true);
  });

  test("a release at once with others is one", async () => {
    await using store = await openFixture(newStorage);
    const nonce = once("n1", store.clock);
    const consumption = await consumed(store, [nonce]);
    await atOnce(5, () => consumption.release());
    expect(await store.records.isConsumed([nonce])).toBe(false);
  });

  test("a release after the expiry leaves alone what another call or a commit consumed since", async () => {
    await using store = await openFixture(newStorage);
    const consumption = await consumed(store, [once("n1", store.clock), once("n2", store.clock)]);
    store.clock.advance(MINUTE_MS);
    const again = [once("n1", store.clock), once("n2", store.clock)] as const;
    await consumed(store, [again[0]]);
    await create(store.records, "b1", { consume: [again[1]] });
    await consumption.release();
    expect(await store.records.isConsumed([again[0]])).toBe(true);
    expect(await store.records.isConsumed([again[1]])).toBe(true);
  });

  test("the token that was issued is released with the nonces", async () => {
    await using store = await openFixture(newStorage);
    const nonces = [once("n1", store.clock)];
    const consumption = await consumed(store, nonces, token("t1", "b1", store.clock));
    await consumption.release();
    expect(await store.records.readToken("t1")).toBeNull();
    await consumed(store, nonces, token("t1", "b2", store.clock));
    await consumption.release();
    expect(await store.records.readToken("t1")).toMatchObject({ backupId: "b2", redeemed: false });
  });

  test("a token that was redeemed, or issued again after its expiry, is left alone", async () => {
    await using store = await openFixture(newStorage);
    const redeemed = await consumed(store, [], token("t1", "b1", store.clock));
    const expired = await consumed(store, [], token("t2", "b1", store.clock));
    await store.records.commit({ backupId: "b1", expect: "absent", next: record("b1"), redeem: "t1" });
    await redeemed.release();
    expect(await store.records.readToken("t1")).toMatchObject({ redeemed: true });
    store.clock.advance(MINUTE_MS);
    await consumed(store, [], token("t2", "b1", store.clock));
    await expired.release();
    expect(await store.records.readToken("t2")).toMatchObject({ redeemed: false });
  });
}
