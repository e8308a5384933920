import { expect, test } from "bun:test";
import { type Change, type Conflict, type DeletedBackup, MAX_FORGOTTEN } from "../../src/storage/contract.ts";
import {
  atOnce,
  backupOf,
  collect,
  create,
  deletedOf,
  event,
  eventsOf,
  type Fixture,
  kept,
  labelOf,
  main,
  type NewStorage,
  once,
  openFixture,
  record,
  revisionOf,
  uuidOf,
  version,
} from "./fixture.ts";

const WIDTH = 50;

/** Creates a backup and deletes it, with the state set aside. */
async function deleted(
  { records, clock }: Fixture,
  backupId: string,
  change: Partial<DeletedBackup> = {},
): Promise<DeletedBackup> {
  const setAside = kept(change.deletionId ?? backupId, clock, change);
  const revision = await create(records, backupId);
  expect(await records.commit({ backupId, expect: { revision }, next: null, setAside })).toBe("committed");
  return setAside;
}

/** The states of deleted backups: kept by a deletion, brought back or forgotten by a later change. */
export function deletedStatesContract(newStorage: NewStorage): void {
  test("a state that a deletion keeps is returned as it was, under its backup only", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const setAside = {
      ...kept("b1", clock, { logId: uuidOf("log") }),
      versions: [version("newer"), version("older")],
      metadata: { b: 1, a: [null, { é: "\u0000" }] },
    };
    const revision = await create(records, "b1", { claim: [main("f1")] });
    const change = { next: null, release: [main("f1")], setAside } as const;
    expect(await records.commit({ backupId: "b1", expect: { revision }, ...change })).toBe("committed");
    expect(await records.read("b1")).toBeNull();
    expect(await backupOf(records, main("f1"))).toBeNull();
    expect(await deletedOf(records, "b1")).toEqual([setAside]);
    expect(JSON.stringify((await deletedOf(records, "b1"))[0]?.metadata)).toBe(
      JSON.stringify(setAside.metadata),
    );
    expect(await deletedOf(records, "b")).toEqual([]);
    expect(await deletedOf(records, "b1 ")).toEqual([]);
  });

  test("a state that none deleted and that has no log says so", async () => {
    await using store = await openFixture(newStorage);
    await deleted(store, "b1", { deletedBy: null, logId: null });
    expect(await deletedOf(store.records, "b1")).toMatchObject([{ deletedBy: null, logId: null }]);
  });

  test("the state of a large record is kept", async () => {
    await using store = await openFixture(newStorage);
    const metadata = { filling: "ä".repeat(175_000) };
    await deleted(store, "b1", { metadata });
    expect((await deletedOf(store.records, "b1"))[0]?.metadata).toEqual(metadata);
  });

  test("states of several deletions are returned page by page, the latest first, also while some go", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const ids: string[] = [];
    for (let index = 0; index < 45; index++) {
      if (index % 3 > 0) clock.advance(1); // some of the same millisecond
      ids.push((await deleted(store, "b1", { deletionId: uuidOf(`${index}`) })).deletionId);
    }
    const all = await deletedOf(records, "b1");
    expect(all.map(({ deletionId }) => deletionId).toSorted()).toEqual(ids.toSorted());
    expect(all.map(({ deletedAtMs }) => deletedAtMs)).toEqual(
      all.map(({ deletedAtMs }) => deletedAtMs).toSorted((a, b) => b - a),
    );
    const page = await records.readDeleted("b1");
    const last = page.at(-1);
    if (last === undefined) throw new Error("there is no first page");
    await records.commit({ backupId: "b1", expect: "absent", next: null, forget: [last] });
    await deleted(store, "b1", { deletionId: uuidOf("later") });
    const rest = await records.readDeleted("b1", last);
    expect(rest[0]?.deletionId).toBe(all[page.length]?.deletionId ?? "");
  });

  test("a state takes the place of a record, which is kept in its stead, in one commit or not at all", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const state = await deleted(store, "b1");
    clock.advance(1);
    const revision = await create(records, "b1", { claim: [main("shared"), main("present")] });
    const setAside = kept("present", clock);
    const change: Change = {
      backupId: "b1",
      expect: { revision },
      next: record("back"),
      claim: [main("back")],
      release: [main("present")],
      bringBack: state,
      setAside,
    };
    await create(records, "b2", { claim: [main("taken")] });
    const taken = { ...change, claim: [main("back"), main("taken")] };
    expect(await records.commit(taken)).toBe("factor-claimed");
    expect(await deletedOf(records, "b1")).toEqual([state]);
    expect(await records.commit({ ...change, expect: { revision: uuidOf("other") } })).toBe("revision");
    expect(await records.commit(change)).toBe("committed");
    expect((await records.read("b1"))?.blob).toEqual(record("back").blob);
    expect(await deletedOf(records, "b1")).toEqual([setAside]);
    const owners = ["shared", "back", "present"].map((name) => backupOf(records, main(name)));
    expect(await Promise.all(owners)).toEqual(["b1", "b1", null]);
    const again = { ...change, expect: { revision: await revisionOf(records, "b1") }, claim: [] };
    expect(await records.commit(again)).toBe("not-kept");
  });

  test("a state is absent from the end of its time on, and cannot be brought back then", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const state = await deleted(store, "b1");
    clock.set(state.keepUntilMs - 1);
    expect(await deletedOf(records, "b1")).toEqual([state]);
    clock.set(state.keepUntilMs);
    expect(await records.readDeleted("b1")).toEqual([]);
    const change = { backupId: "b1", expect: "absent", next: record("back"), bringBack: state } as const;
    expect(await records.commit(change)).toBe("not-kept");
    expect(await records.read("b1")).toBeNull();
    const blobs = [state.blob];
    const { deletionId, deletedAtMs, keepUntilMs } = state;
    expect(await collect(records.listDeleted())).toEqual([
      { backupId: "b1", kept: { deletionId, deletedAtMs, keepUntilMs }, blobs },
    ]);
  });

  test("all blobs of a state are listed until it is brought back", async () => {
    await using store = await openFixture(newStorage);
    const { records } = store;
    const versions = [version("newer"), version("older")];
    const state = await deleted(store, "b1", { versions });
    const other = await deleted(store, "b2");
    const listed = await collect(records.listDeleted());
    expect(listed.toSorted((a, b) => a.backupId.localeCompare(b.backupId))).toMatchObject([
      { backupId: "b1", blobs: [state.blob, ...versions.map(({ blob }) => blob)] },
      { backupId: "b2", blobs: [other.blob] },
    ]);
    await create(records, "b1", { bringBack: state });
    expect(await collect(records.listDeleted())).toMatchObject([{ backupId: "b2" }]);
  });

  test("a state is brought back once, and kept again by the next deletion", async () => {
    await using store = await openFixture(newStorage);
    const { records } = store;
    const first = await deleted(store, "b1");
    const second = await deleted(store, "b1", { deletionId: uuidOf("second") });
    const bringBack: Change = { backupId: "b1", expect: "absent", next: record("back"), bringBack: first };
    expect(await records.commit({ ...bringBack, claim: [main("f1")] })).toBe("committed");
    expect(await labelOf(records, "b1")).toBe("back");
    expect(await backupOf(records, main("f1"))).toBe("b1");
    expect(await deletedOf(records, "b1")).toEqual([second]);
    expect(await records.commit(bringBack)).toBe("exists");
    const revision = await revisionOf(records, "b1");
    await records.commit({ backupId: "b1", expect: { revision }, next: null });
    expect(await records.commit(bringBack)).toBe("not-kept");
    expect(await records.commit({ ...bringBack, bringBack: second })).toBe("committed");
  });

  test("states that are forgotten go, and no others", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const [first, second] = [
      await deleted(store, "b1", { deletionId: uuidOf("1"), keepUntilMs: clock.nowMs() + 1 }),
      await deleted(store, "b1", { deletionId: uuidOf("2") }),
    ];
    const third = await deleted(store, "b1", { deletionId: uuidOf("3") });
    const theirs = await deleted(store, "b2");
    clock.advance(1);
    const forget = [first, second, second];
    expect(await records.commit({ backupId: "b1", expect: "absent", next: null, forget })).toBe("committed");
    expect(await deletedOf(records, "b1")).toEqual([third]);
    expect(await deletedOf(records, "b2")).toEqual([theirs]);
    expect(await collect(records.listDeleted())).toHaveLength(2);
  });

  test("where one of the states to forget is not kept, none is forgotten", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const state = await deleted(store, "b1");
    const theirs = await deleted(store, "b2");
    for (const lacking of [theirs, kept("none", clock), { ...state, deletedAtMs: state.deletedAtMs + 1 }]) {
      const forget = [state, lacking];
      expect(await records.commit({ backupId: "b1", expect: "absent", next: null, forget })).toBe("not-kept");
    }
    expect(await deletedOf(records, "b1")).toEqual([state]);
    expect(await deletedOf(records, "b2")).toEqual([theirs]);
  });

  test("as many states as a change may name are forgotten with a record, its index rows and a nonce", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const forget: DeletedBackup[] = [];
    for (let index = 0; index < MAX_FORGOTTEN; index++)
      forget.push(await deleted(store, "b1", { deletionId: uuidOf(`${index}`) }));
    const factors = Array.from({ length: 20 }, (_, index) => main(`f${index}`));
    const revision = await create(records, "b1", { claim: factors });
    const change: Change = { backupId: "b1", expect: { revision }, next: null, release: factors, forget };
    const blobs = forget.map(({ blob }) => blob);
    const outcome = await records.commit({
      ...change,
      consume: [once("n1", clock)],
      collect: { blobs, logIds: [uuidOf("log")] },
      events: [event("log", clock, { logId: null, deliverFromMs: clock.nowMs() })],
    });
    expect(outcome).toBe("committed");
    expect(await deletedOf(records, "b1")).toEqual([]);
    for (const factor of factors) expect(await backupOf(records, factor)).toBeNull();
  });

  test("a change that is not made keeps, brings back and forgets nothing, and leaves no event", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const state = await deleted(store, "b2");
    await create(records, "other", { claim: [main("taken")] });
    await records.consume([once("used", clock)]);
    const revision = await create(records, "b1");
    const traces = {
      events: [event("log", clock, { deliverFromMs: clock.nowMs() })],
      collect: { blobs: [record("x").blob], logIds: [] },
    };
    const b1 = { ...traces, backupId: "b1", next: null, setAside: kept("b1", clock) };
    const b2 = { ...traces, backupId: "b2", expect: "absent", next: record("b2"), bringBack: state } as const;
    const refused: (readonly [Change, Conflict])[] = [
      [{ ...b1, expect: { revision }, consume: [once("used", clock)] }, "consumed"],
      [{ ...b1, expect: "absent" }, "exists"],
      [{ ...b1, expect: { revision: uuidOf("other") } }, "revision"],
      [{ ...b1, expect: { revision }, forget: [kept("none", clock)] }, "not-kept"],
      [{ ...b1, expect: { revision }, claim: [main("taken")] }, "factor-claimed"],
      [{ ...b2, consume: [once("used", clock)] }, "consumed"],
      [{ ...b2, claim: [main("taken")] }, "factor-claimed"],
      [{ ...b2, bringBack: kept("none", clock) }, "not-kept"],
      [{ ...b2, bringBack: kept("none", clock), claim: [main("taken")] }, "not-kept"],
      [{ ...b2, backupId: "other", bringBack: kept("none", clock) }, "exists"],
      [{ ...b2, bringBack: kept("none", clock), consume: [once("used", clock)] }, "consumed"],
    ];
    for (const [change, conflict] of refused) expect(await records.commit(change)).toBe(conflict);
    expect(await revisionOf(records, "b1")).toBe(revision);
    expect(await records.read("b2")).toBeNull();
    expect(await deletedOf(records, "b1")).toEqual([]);
    expect(await deletedOf(records, "b2")).toEqual([state]);
    expect(await eventsOf(records, "log")).toEqual([]);
    expect(await records.outbox.backlog()).toEqual({ waiting: 0, oldestMs: null });
    expect(await records.collection.due(10)).toEqual([]);
  });

  test("of fifty that bring a state back one does", async () => {
    await using store = await openFixture(newStorage);
    const { records } = store;
    const state = await deleted(store, "b1");
    await using other = await store.openAnother();
    const outcomes = await atOnce(WIDTH, (index) =>
      (index % 2 ? records : other.records).commit({
        backupId: "b1",
        expect: "absent",
        next: record(`${index}`),
        bringBack: state,
        claim: [main(`f${index}`)],
      }),
    );
    const winners = [...outcomes.keys()].filter((index) => outcomes[index] === "committed");
    expect(winners).toHaveLength(1);
    expect(new Set(outcomes.toSpliced(winners[0] ?? 0, 1))).toEqual(new Set(["exists"]));
    expect(await labelOf(records, "b1")).toBe(`${winners[0]}`);
    expect(await deletedOf(records, "b1")).toEqual([]);
    await atOnce(WIDTH, async (index) =>
      expect(await backupOf(records, main(`f${index}`))).toBe(index === winners[0] ? "b1" : null),
    );
  });

  test("of fifty that bring a state back or forget it one does", async () => {
    await using store = await openFixture(newStorage);
    const { records } = store;
    const state = await deleted(store, "b1");
    await using other = await store.openAnother();
    const outcomes = await atOnce(WIDTH, (index) => {
      const change =
        index % 4 < 2 ? { next: record("back"), bringBack: state } : { next: null, forget: [state] };
      return (index % 2 ? records : other.records).commit({ backupId: "b1", expect: "absent", ...change });
    });
    const winners = [...outcomes.keys()].filter((index) => outcomes[index] === "committed");
    expect(winners).toHaveLength(1);
    expect(await labelOf(records, "b1")).toBe((winners[0] ?? 0) % 4 < 2 ? "back" : null);
    expect(await deletedOf(records, "b1")).toEqual([]);
  });

  test("of fifty that delete a backup, and keep its state or forget an earlier one, one does", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const earlier = await deleted(store, "b1");
    const revision = await create(records, "b1");
    await using other = await store.openAnother();
    const outcomes = await atOnce(WIDTH, (index) => {
      const change = index % 4 < 2 ? { setAside: kept(`later ${index}`, clock) } : { forget: [earlier] };
      return (index % 2 ? records : other.records).commit({
        backupId: "b1",
        expect: { revision },
        next: null,
        ...change,
      });
    });
    const winners = [...outcomes.keys()].filter((index) => outcomes[index] === "committed");
    expect(winners).toHaveLength(1);
    const winner = winners[0] ?? 0;
    const expected = winner % 4 < 2 ? [uuidOf("b1"), uuidOf(`later ${winner}`)] : [];
    const left = (await deletedOf(records, "b1")).map(({ deletionId }) => deletionId);
    expect(left.toSorted()).toEqual(expected.toSorted());
  });
}
