import { expect, test } from "bun:test";
import { systemRandom } from "../../src/runtime/clock.ts";
import { timeOrderedId } from "../../src/runtime/time-ordered-id.ts";
import { MAX_EVENTS, type NewEvent, type RecordStore } from "../../src/storage/contract.ts";
import {
  atOnce,
  create,
  event,
  eventsOf,
  MINUTE_MS,
  type NewStorage,
  once,
  openFixture,
  record,
  shown,
  token,
  uuidOf,
} from "./fixture.ts";

type EventPage = Awaited<ReturnType<RecordStore["readEvents"]>>;

/** Events: appended by the commit or the consumption that they are about, and read newest first. */
export function eventLogsContract(newStorage: NewStorage): void {
  test("events are returned as they were, newest first, in the log that they are in", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const body = { kind: "CREATED", nested: [null, { é: "\u0000" }], "": "" };
    const [first, second] = [0, 1].map((sequence) => {
      const id = timeOrderedId(clock.nowMs(), sequence, systemRandom);
      return event("log", clock, { id, body: { ...body, sequence } });
    });
    if (first === undefined || second === undefined) throw new Error("there are two events");
    const elsewhere = event("other log", clock, { backupId: "b2" });
    await create(records, "b1", { events: [second, first, elsewhere, event("", clock, { logId: null })] });
    clock.advance(1);
    const third = event("log", clock);
    await records.consume([], undefined, [third]);
    expect(await eventsOf(records, "log")).toEqual([third, second, first].map(shown));
    expect(await eventsOf(records, "other log")).toEqual([shown(elsewhere)]);
    expect(await eventsOf(records, "")).toEqual([]);
    expect(await eventsOf(records, "none")).toEqual([]);
  });

  test("events stay when their backup goes, until they expire", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const [created, deleted] = [event("log", clock), event("log", clock, { atMs: clock.nowMs() + 1 })];
    const revision = await create(records, "b1", { events: [created] });
    clock.advance(1);
    await records.commit({ backupId: "b1", expect: { revision }, next: null, events: [deleted] });
    expect(await eventsOf(records, "log")).toEqual([shown(deleted), shown(created)]);
    clock.set(created.expiresAtMs);
    expect(await eventsOf(records, "log")).toEqual([shown(deleted)]);
    clock.set(deleted.expiresAtMs);
    expect(await eventsOf(records, "log")).toEqual([]);
  });

  test("a page has at most as many events as asked for, and says how to go on", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const ids: string[] = [];
    for (let index = 0; index < 7; index++) {
      clock.advance(1);
      const appended = event("log", clock);
      ids.unshift(appended.id);
      await records.consume([], undefined, [appended]);
    }
    for (const limit of [1, 2, 3, 6, 7, 8]) {
      const seen: string[] = [];
      for (let before: string | null = null, pages = 0; ; pages++) {
        const page = await records.readEvents(uuidOf("log"), { before, limit });
        seen.push(...page.events.map(({ id }) => id));
        before = page.next;
        if (before === null) {
          expect(pages).toBe(Math.ceil(7 / limit) - 1);
          break;
        }
        expect(page.events).toHaveLength(limit);
      }
      expect(seen).toEqual(ids);
    }
    expect(await records.readEvents(uuidOf("none"), { before: null, limit: 1 })).toEqual({
      events: [],
      next: null,
    });
  });

  test("a page goes on from an id that is in no log", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const first = event("log", clock);
    clock.advance(2);
    const second = event("log", clock);
    await records.consume([], undefined, [first, second]);
    const between = timeOrderedId(clock.nowMs() - 1, 0, systemRandom);
    for (const [before, expected] of [
      [between, [first]],
      [first.id, []],
      [timeOrderedId(0, 0, systemRandom), []],
      ["ffffffff-ffff-ffff-bfff-ffffffffffff", [second, first]],
    ] as const) {
      const { events } = await records.readEvents(uuidOf("log"), { before, limit: 5 });
      expect(events).toEqual(expected.map(shown));
    }
  });

  test("pages have each event once while others are appended", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const append = async () => {
      clock.advance(1);
      const appended = event("log", clock);
      await records.consume([], undefined, [appended]);
      return appended.id;
    };
    const ids: string[] = [];
    for (let index = 0; index < 20; index++) ids.unshift(await append());
    const seen: string[] = [];
    for (let before: string | null = null; ; ) {
      const appending = [append(), append()];
      const page: EventPage = await records.readEvents(uuidOf("log"), { before, limit: 6 });
      await Promise.all(appending);
      seen.push(...page.events.map(({ id }) => id));
      before = page.next;
      if (before === null) break;
    }
    expect(seen.filter((id) => ids.includes(id))).toEqual(ids);
    expect(new Set(seen).size).toBe(seen.length);
  });

  test("a log shows its newest events only, however many there were", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const surplus = 7;
    const batch = 40;
    const appended: NewEvent[] = [];
    for (let index = 0; index < MAX_EVENTS + surplus; index++)
      appended.push(event("log", clock, { atMs: clock.nowMs() - MAX_EVENTS + index }));
    for (let start = 0; start < appended.length; start += batch)
      await records.consume([], undefined, appended.slice(start, start + batch));
    const whole = await records.readEvents(uuidOf("log"), { before: null, limit: MAX_EVENTS });
    expect({ events: whole.events.length, next: whole.next }).toEqual({ events: MAX_EVENTS, next: null });
    const seen: string[] = [];
    for (let before: string | null = null; ; ) {
      const page = await records.readEvents(uuidOf("log"), { before, limit: 100 });
      seen.push(...page.events.map(({ id }) => id));
      before = page.next;
      if (before === null) break;
    }
    expect(seen).toEqual(
      appended
        .slice(surplus)
        .map(({ id }) => id)
        .toReversed(),
    );
  });

  test("a consumption leaves its events only if it consumes", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const first = event("log", clock, { deliverFromMs: clock.nowMs() });
    const nonces = [once("n1", clock)];
    await records.consume(nonces, token("t1", "b1", clock), [first]);
    const second = event("log", clock, { deliverFromMs: clock.nowMs() });
    expect(await records.consume(nonces, token("t2", "b1", clock), [second])).toBeNull();
    expect(await eventsOf(records, "log")).toEqual([shown(first)]);
    expect(await records.outbox.backlog()).toMatchObject({ waiting: 1 });
  });

  test("a release removes the events of its consumption, and no others", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const events = () => [event("log", clock, { deliverFromMs: clock.nowMs() + MINUTE_MS })];
    const [mine, theirs] = [events(), events()];
    const consumption = await records.consume([once("n1", clock)], undefined, mine);
    const other = await records.consume([once("n2", clock)], undefined, theirs);
    expect(other).not.toBeNull();
    await consumption?.release();
    expect(await eventsOf(records, "log")).toEqual(theirs.map(shown));
    expect(await records.outbox.backlog()).toMatchObject({ waiting: 1 });
    expect(await records.isConsumed([once("n1", clock)])).toBe(false);
    await consumption?.release();
    clock.advance(MINUTE_MS);
    expect((await records.outbox.due(10)).map((queued) => queued.event)).toEqual(theirs.map(shown));
  });

  test("an event whose delivery was claimed is not taken back from the outbox by a release", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const events = [event("log", clock, { deliverFromMs: clock.nowMs() })];
    const consumption = await records.consume([once("n1", clock)], undefined, events);
    const [queued] = await records.outbox.due(1);
    if (queued === undefined) throw new Error("nothing is due");
    const claimed = await records.outbox.claim(queued, clock.nowMs() + MINUTE_MS);
    await consumption?.release();
    expect(await eventsOf(records, "log")).toEqual([]);
    expect(await records.outbox.backlog()).toMatchObject({ waiting: 1 });
    if (claimed !== null) await records.outbox.settle(claimed);
    expect(await records.outbox.backlog()).toMatchObject({ waiting: 0 });
  });

  test("of fifty changes of one revision one leaves its events", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const revision = await create(records, "b1");
    await using other = await store.openAnother();
    const outcomes = await atOnce(50, (index) =>
      (index % 2 ? records : other.records).commit({
        backupId: "b1",
        expect: { revision },
        next: record(`${index}`),
        events: [event("log", clock, { body: { index } })],
      }),
    );
    const winner = outcomes.indexOf("committed");
    expect((await eventsOf(records, "log")).map(({ body }) => body)).toEqual([{ index: winner }]);
  });
}
