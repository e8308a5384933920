import { describe, expect, test } from "bun:test";
import { systemRandom } from "../../src/runtime/clock.ts";
import { StorageUnavailable } from "../../src/storage/contract.ts";
import type { Outbox } from "../../src/storage/outbox.ts";
import type { Outcome } from "../../src/webhooks/post.ts";
import { startWebhooks } from "../../src/webhooks/webhooks.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { SettablePauses, settled } from "../support/settable-pauses.ts";
import { replaced } from "../support/store-wrappers.ts";
import { eventAt, MemoryOutbox } from "./memory-outbox.ts";

/** Processes with one outbox, and a receiver that takes everything at once unless a test has it wait. */
function fixture({ respond = async (): Promise<Outcome> => "delivered" } = {}) {
  const clock = new SettableClock();
  const pauses = new SettablePauses(clock);
  const outbox = new MemoryOutbox(clock);
  const posted: { readonly id: string; readonly atMs: number; readonly process: number }[] = [];
  const postponed: unknown[] = [];
  let polls = 0;
  const watched: Outbox = replaced(outbox, {
    due(limit) {
      polls++;
      return outbox.due(limit);
    },
  });
  let processes = 0;
  function startProcess(seen: Outbox = watched) {
    const process = processes++;
    return startWebhooks({
      outbox: seen,
      clock,
      random: systemRandom,
      pause: pauses.pause,
      reports: {
        delivered() {},
        failed() {},
        dropped() {},
        postponed: (error: unknown) => postponed.push(error),
      },
      async post({ id }, stopping) {
        posted.push({ id, atMs: clock.nowMs(), process });
        const ended = new Promise<Outcome>((resolve) =>
          stopping.addEventListener("abort", () => resolve("ended")),
        );
        return Promise.race([respond(), ended]);
      },
    });
  }
  return {
    clock,
    pauses,
    outbox,
    posted,
    postponed,
    startProcess,
    get polls() {
      return polls;
    },
  };
}

const never = (): Promise<Outcome> => new Promise(() => {});

describe("the webhooks of a process", () => {
  test("deliver what was queued before it started", async () => {
    const { clock, outbox, posted, startProcess } = fixture();
    const ids = [1, 2, 3].map(() => outbox.add(eventAt(clock.nowMs())).id);
    const webhooks = startProcess();
    await settled();
    expect(posted.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
    await webhooks.stop();
  });

  test("deliver an event of this process at once, and one of another within 2 s", async () => {
    const state = fixture();
    const { clock, pauses, outbox, posted, startProcess } = state;
    const webhooks = startProcess();
    await settled();
    webhooks.announce([outbox.add(eventAt(clock.nowMs()))]);
    await settled();
    expect([posted.length, state.polls]).toEqual([1, 2]);
    outbox.add(eventAt(clock.nowMs()));
    await pauses.pass(2_000);
    expect(posted).toHaveLength(2);
    await webhooks.stop();
  });

  test("deliver an event that is due later when it is due, or within 2 s if others came in between", async () => {
    for (const comesBetween of [false, true]) {
      const { clock, pauses, outbox, posted, startProcess } = fixture();
      const webhooks = startProcess();
      await settled();
      const dueMs = clock.nowMs() + 8_000;
      const event = outbox.add(eventAt(clock.nowMs(), { deliverFromMs: dueMs }));
      webhooks.announce([event]);
      if (comesBetween) webhooks.announce([outbox.add(eventAt(clock.nowMs()))]);
      await pauses.pass(10_000);
      const lateMs = (posted.find(({ id }) => id === event.id)?.atMs ?? 0) - dueMs;
      expect(lateMs).toBeWithin(0, comesBetween ? 2_001 : 1);
      await webhooks.stop();
    }
  });

  test("are not woken by events that are only in a log", async () => {
    const state = fixture();
    const webhooks = state.startProcess();
    await settled();
    webhooks.announce([eventAt(state.clock.nowMs(), { deliverFromMs: null })]);
    webhooks.announce([]);
    await settled();
    expect(state.polls).toBe(1);
    await webhooks.stop();
  });

  test("poll every one to two seconds while there is nothing to do", async () => {
    const state = fixture();
    const webhooks = state.startProcess();
    await state.pauses.pass(100_000);
    expect(state.polls).toBeGreaterThanOrEqual(50);
    expect(state.polls).toBeLessThanOrEqual(101);
    await webhooks.stop();
  });

  test("go on while events of a receiver that hangs wait, as far as there is room", async () => {
    const state = fixture({ respond: never });
    const { clock, pauses, outbox, posted, startProcess } = state;
    for (let count = 0; count < 40; count++) outbox.add(eventAt(clock.nowMs()));
    const webhooks = startProcess();
    await pauses.pass(60_000);
    expect(posted).toHaveLength(16);
    expect(state.polls).toBe(1);
    await webhooks.stop();
  });

  test("start the next delivery as soon as one has ended", async () => {
    const waiting: ((outcome: Outcome) => void)[] = [];
    const { clock, outbox, posted, startProcess } = fixture({
      respond: () => new Promise((resolve) => waiting.push(resolve)),
    });
    for (let count = 0; count < 18; count++) outbox.add(eventAt(clock.nowMs()));
    const webhooks = startProcess();
    await settled();
    expect(posted).toHaveLength(16);
    waiting[7]?.("delivered");
    await settled();
    expect(posted).toHaveLength(17);
    await webhooks.stop();
  });

  test("deliver a thousand events without a pause", async () => {
    const { clock, outbox, posted, startProcess } = fixture();
    for (let count = 0; count < 1_000; count++) outbox.add(eventAt(clock.nowMs()));
    const webhooks = startProcess();
    await settled();
    expect(posted).toHaveLength(1_000);
    expect(outbox.queued.size).toBe(0);
    await webhooks.stop();
  });

  test("deliver each event once, where three processes share them", async () => {
    const { clock, pauses, outbox, posted, startProcess } = fixture();
    const processes = [startProcess(), startProcess(), startProcess()];
    await settled();
    for (let count = 0; count < 300; count++) {
      outbox.add(eventAt(clock.nowMs()));
      if (count % 10 === 0) await pauses.pass(100);
    }
    await pauses.pass(2_000);
    expect(new Set(posted.map(({ id }) => id)).size).toBe(300);
    expect(posted).toHaveLength(300);
    expect(new Set(posted.map(({ process }) => process)).size).toBeGreaterThan(1);
    await Promise.all(processes.map((webhooks) => webhooks.stop()));
  });

  test("deliver the events of a process that crashed while it delivered them", async () => {
    const { clock, pauses, outbox, posted, startProcess } = fixture();
    outbox.add(eventAt(clock.nowMs()));
    const [queued] = await outbox.due(1);
    if (queued === undefined) throw new Error("no event is due");
    await outbox.claim(queued, clock.nowMs() + 6_000); // and the process ends
    const crashedAtMs = clock.nowMs();
    const webhooks = startProcess();
    await pauses.pass(10_000);
    expect(posted).toHaveLength(1);
    expect((posted[0]?.atMs ?? 0) - crashedAtMs).toBeLessThanOrEqual(8_000);
    await webhooks.stop();
  });

  test("go on after an outage of the outbox, with a pause between polls", async () => {
    const { clock, pauses, outbox, posted, postponed, startProcess } = fixture();
    const down = new StorageUnavailable("down");
    let isDown = true;
    const webhooks = startProcess(
      replaced(outbox, { due: (limit) => (isDown ? Promise.reject(down) : outbox.due(limit)) }),
    );
    outbox.add(eventAt(clock.nowMs()));
    await pauses.pass(10_000);
    expect(postponed.length).toBeGreaterThanOrEqual(5);
    expect(postponed.length).toBeLessThanOrEqual(11);
    isDown = false;
    await pauses.pass(2_000);
    expect(posted).toHaveLength(1);
    await webhooks.stop();
  });

  test("pause where other processes claim everything that is due", async () => {
    const state = fixture();
    const { clock, outbox, posted, startProcess } = state;
    for (let count = 0; count < 40; count++) outbox.add(eventAt(clock.nowMs()));
    let polls = 0;
    const webhooks = startProcess(
      replaced(outbox, {
        claim: async () => null,
        due(limit) {
          polls++;
          return outbox.due(limit);
        },
      }),
    );
    await state.pauses.pass(10_000);
    expect(polls).toBeLessThanOrEqual(11);
    expect(posted).toEqual([]);
    await webhooks.stop();
  });

  test("end at once with the process, however long the receiver takes, and leave the events queued", async () => {
    const { clock, outbox, posted, startProcess } = fixture({ respond: never });
    for (let count = 0; count < 40; count++) outbox.add(eventAt(clock.nowMs()));
    const webhooks = startProcess();
    await settled();
    await webhooks.stop();
    expect([posted.length, outbox.queued.size]).toEqual([16, 40]);
  });

  test("have stopped when what was delivered has left the outbox", async () => {
    const { clock, outbox, startProcess } = fixture();
    const { promise: maySettle, resolve: letSettle } = Promise.withResolvers<void>();
    outbox.add(eventAt(clock.nowMs()));
    const webhooks = startProcess(
      replaced(outbox, { settle: (claimed) => maySettle.then(() => outbox.settle(claimed)) }),
    );
    await settled();
    let isStopped = false;
    const stopped = webhooks.stop().then(() => {
      isStopped = true;
    });
    await settled();
    expect(isStopped).toBe(false);
    letSettle();
    await stopped;
    expect(outbox.queued.size).toBe(0);
  });

  test("end while they are idle, and neither poll nor deliver afterwards", async () => {
    const state = fixture();
    const webhooks = state.startProcess();
    await settled();
    await webhooks.stop();
    const { polls } = state;
    webhooks.announce([state.outbox.add(eventAt(state.clock.nowMs()))]);
    await state.pauses.pass(10_000);
    expect([state.polls, state.posted, state.pauses.pendingMs]).toEqual([polls, [], []]);
  });
});
