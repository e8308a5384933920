import { expect, test } from "bun:test";
import type { Conflict, RecordStore } from "../../src/storage/contract.ts";
import {
  atOnce,
  backupOf,
  create,
  type Fixture,
  labelOf,
  main,
  type NewStorage,
  once,
  openFixture,
  record,
  sync,
  token,
} from "./fixture.ts";

const WIDTH = 50;

/** Fifty commits at once, from two stores on the same storage: one wins, the others leave no trace. */
export function racesContract(newStorage: NewStorage): void {
  async function race(
    store: Fixture,
    run: (records: RecordStore, index: number) => Promise<"committed" | Conflict>,
  ): Promise<{ winner: number; losses: Set<"committed" | Conflict> }> {
    await using other = await store.openAnother();
    const outcomes = await atOnce(WIDTH, (index) => run(index % 2 ? store.records : other.records, index));
    const winners = [...outcomes.keys()].filter((index) => outcomes[index] === "committed");
    expect(winners).toHaveLength(1);
    const winner = winners[0] ?? -1;
    return { winner, losses: new Set(outcomes.toSpliced(winner, 1)) };
  }

  test("of fifty that create a backup one does", async () => {
    await using store = await openFixture(newStorage);
    const { winner, losses } = await race(store, (records, index) =>
      records.commit({
        backupId: "b1",
        expect: "absent",
        next: record(`${index}`),
        claim: [main(`f${index}`)],
        consume: [once(`n${index}`, store.clock)],
      }),
    );
    expect(losses).toEqual(new Set(["exists"]));
    expect(await labelOf(store.records, "b1")).toBe(`${winner}`);
    await atOnce(WIDTH, async (index) =>
      expect(await store.records.locate(main(`f${index}`), [once(`n${index}`, store.clock)])).toEqual(
        index === winner ? { backupId: "b1", consumed: true } : { backupId: null, consumed: false },
      ),
    );
  });

  test("of fifty backups that claim a factor one gets it", async () => {
    await using store = await openFixture(newStorage);
    const { winner, losses } = await race(store, (records, index) =>
      records.commit({
        backupId: `b${index}`,
        expect: "absent",
        next: record(`${index}`),
        claim: [sync(`own ${index}`), main("wanted")],
      }),
    );
    expect(losses).toEqual(new Set(["factor-claimed"]));
    expect(await backupOf(store.records, main("wanted"))).toBe(`b${winner}`);
    await atOnce(WIDTH, async (index) => {
      expect(await labelOf(store.records, `b${index}`)).toBe(index === winner ? `${index}` : null);
      expect(await backupOf(store.records, sync(`own ${index}`))).toBe(index === winner ? `b${index}` : null);
    });
  });

  test("of fifty changes of one revision one is made", async () => {
    await using store = await openFixture(newStorage);
    const revision = await create(store.records, "b1", { claim: [main("old")] });
    const { winner, losses } = await race(store, (records, index) =>
      records.commit({
        backupId: "b1",
        expect: { revision },
        next: index % 5 === 0 ? null : record(`${index}`),
        claim: [main(`f${index}`)],
        release: [main("old")],
      }),
    );
    expect(losses).toEqual(new Set(["revision"]));
    expect(await labelOf(store.records, "b1")).toBe(winner % 5 === 0 ? null : `${winner}`);
    expect(await backupOf(store.records, main("old"))).toBeNull();
    await atOnce(WIDTH, async (index) =>
      expect(await backupOf(store.records, main(`f${index}`))).toBe(index === winner ? "b1" : null),
    );
  });

  test("of fifty that consume a nonce one does, and one token is issued", async () => {
    await using store = await openFixture(newStorage);
    const { winner, losses } = await race(store, (records, index) =>
      consuming(records, [once("n1", store.clock)], token(`t${index}`, `b${index}`, store.clock)),
    );
    expect(losses).toEqual(new Set(["consumed"]));
    await atOnce(WIDTH, async (index) =>
      expect(await store.records.readToken(`t${index}`)).toEqual(
        index === winner ? { backupId: `b${index}`, holder: "holder", redeemed: false } : null,
      ),
    );
  });

  test("of fifty that consume an expired nonce one does", async () => {
    await using store = await openFixture(newStorage);
    const value = once("n1", store.clock);
    await store.records.consume([value]);
    store.clock.set(value.expiresAtMs);
    const { losses } = await race(store, (records) => consuming(records, [once("n1", store.clock)]));
    expect(losses).toEqual(new Set(["consumed"]));
  });

  test("of fifty that redeem a token one does", async () => {
    await using store = await openFixture(newStorage);
    const revision = await create(store.records, "b1");
    await store.records.consume([], token("t1", "b1", store.clock));
    const { winner, losses } = await race(store, (records, index) =>
      records.commit({
        backupId: "b1",
        expect: { revision },
        next: record(`${index}`),
        claim: [sync(`f${index}`)],
        redeem: "t1",
      }),
    );
    expect(losses).toEqual(new Set(["consumed"]));
    expect(await labelOf(store.records, "b1")).toBe(`${winner}`);
    await atOnce(WIDTH, async (index) =>
      expect(await backupOf(store.records, sync(`f${index}`))).toBe(index === winner ? "b1" : null),
    );
  });
}

/** Consumes nonces by themselves, with the outcome that a commit would have. */
async function consuming(
  records: RecordStore,
  ...nonces: Parameters<RecordStore["consume"]>
): Promise<"committed" | "consumed"> {
  return (await records.consume(...nonces)) === null ? "consumed" : "committed";
}
