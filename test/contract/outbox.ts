import { expect, test } from "bun:test";
import type { QueuedEvent } from "../../src/storage/outbox.ts";
import {
  atOnce,
  create,
  event,
  type Fixture,
  MINUTE_MS,
  type NewStorage,
  openFixture,
  shown,
} from "./fixture.ts";

/** Events on their way to a webhook: queued by a commit, claimed before each attempt, settled at the end. */
export function outboxContract(newStorage: NewStorage): void {
  async function queue({ records, clock }: Fixture, delaysMs: readonly (number | null)[]) {
    const events = delaysMs.map((delayMs, index) =>
      event("log", clock, {
        atMs: clock.nowMs() - 10 + index,
        deliverFromMs: delayMs === null ? null : clock.nowMs() + delayMs,
        body: { index },
      }),
    );
    await records.consume([], undefined, events);
    return events;
  }

  async function firstDue({ records }: Fixture): Promise<QueuedEvent> {
    const [queued] = await records.outbox.due(1);
    if (queued === undefined) throw new Error("nothing is due");
    return queued;
  }

  const indices = (due: readonly QueuedEvent[]) => due.map((queued) => queued.event.body.index);

  test("events are due from their time on, the longest due first; those that are not delivered never", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const dueMs = clock.nowMs();
    const events = await queue(store, [MINUTE_MS, 0, null, MINUTE_MS - 1]);
    const [first] = [events[1]];
    if (first === undefined) throw new Error("there are four events");
    expect(await records.outbox.due(10)).toEqual([{ event: shown(first), attempts: 0, dueMs }]);
    clock.advance(MINUTE_MS - 1);
    expect(indices(await records.outbox.due(10))).toEqual([1, 3]);
    clock.advance(1);
    expect(indices(await records.outbox.due(10))).toEqual([1, 3, 0]);
    expect(indices(await records.outbox.due(2))).toEqual([1, 3]);
  });

  test("a commit queues its events, whether or not they are in a log", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const reset = event("", clock, { logId: null, deliverFromMs: clock.nowMs() });
    await create(records, "b1", { events: [reset] });
    expect((await firstDue(store)).event).toEqual(shown(reset));
  });

  test("a claim moves an event to its next attempt, and only the last claim settles it", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const { outbox } = records;
    await queue(store, [0]);
    const queued = await firstDue(store);
    const nextMs = clock.nowMs() + MINUTE_MS;
    const claimed = await outbox.claim(queued, nextMs);
    expect(claimed).toEqual({ ...queued, attempts: 1, dueMs: nextMs });
    expect(await outbox.due(10)).toEqual([]);
    expect(await outbox.claim(queued, nextMs)).toBeNull();
    await outbox.settle(queued);
    expect(await outbox.backlog()).toMatchObject({ waiting: 1 });

    clock.advance(MINUTE_MS);
    await using other = await store.openAnother(); // as after a crash: the attempt was not settled
    const again = (await other.records.outbox.due(1))[0];
    expect(again).toEqual(claimed ?? undefined);
    if (again === undefined) return;
    const second = await other.records.outbox.claim(again, clock.nowMs() + MINUTE_MS);
    expect(second?.attempts).toBe(2);
    if (claimed !== null) await outbox.settle(claimed);
    expect(await outbox.backlog()).toMatchObject({ waiting: 1 });
    if (second !== null) await outbox.settle(second);
    expect(await outbox.backlog()).toEqual({ waiting: 0, oldestMs: null });
    if (second !== null) await outbox.settle(second);
    if (second !== null) expect(await outbox.claim(second, clock.nowMs())).toBeNull();
  });

  test("an event may be claimed for the time at which it is due already", async () => {
    await using store = await openFixture(newStorage);
    await queue(store, [0]);
    const queued = await firstDue(store);
    const claimed = await store.records.outbox.claim(queued, queued.dueMs);
    expect(claimed).toMatchObject({ event: queued.event, attempts: 1 });
    expect(await store.records.outbox.claim(queued, queued.dueMs)).toBeNull();
    store.clock.advance(1); // a store may put it off by as much, to tell the attempts apart
    expect(await store.records.outbox.due(10)).toEqual(claimed === null ? [] : [claimed]);
  });

  test("of fifty that claim an attempt one does", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    await queue(store, [0]);
    const queued = await firstDue(store);
    await using other = await store.openAnother();
    const claims = await atOnce(50, (index) =>
      (index % 2 ? records : other.records).outbox.claim(queued, clock.nowMs() + MINUTE_MS + index),
    );
    const won = claims.filter((claim) => claim !== null);
    expect(won).toHaveLength(1);
    clock.advance(2 * MINUTE_MS);
    expect(await records.outbox.due(10)).toEqual(won);
  });

  test("the backlog counts what is queued, due or not, since the oldest event", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    expect(await records.outbox.backlog()).toEqual({ waiting: 0, oldestMs: null });
    const events = await queue(store, [MINUTE_MS, 0, null, MINUTE_MS]);
    const oldestMs = events[0]?.atMs ?? 0;
    expect(await records.outbox.backlog()).toEqual({ waiting: 3, oldestMs });
    clock.advance(MINUTE_MS);
    const oldest = (await records.outbox.due(10)).find(({ event: { atMs } }) => atMs === oldestMs);
    const claimed =
      oldest === undefined ? null : await records.outbox.claim(oldest, clock.nowMs() + MINUTE_MS);
    expect(await records.outbox.backlog()).toEqual({ waiting: 3, oldestMs });
    if (claimed !== null) await records.outbox.settle(claimed);
    expect(await records.outbox.backlog()).toEqual({ waiting: 2, oldestMs: oldestMs + 1 });
  });
}
