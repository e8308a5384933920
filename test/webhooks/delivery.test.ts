import { describe, expect, test } from "bun:test";
import { systemRandom } from "../../src/runtime/clock.ts";
import { StorageUnavailable } from "../../src/storage/contract.ts";
import type { Outbox, QueuedEvent } from "../../src/storage/outbox.ts";
import { createDeliveries } from "../../src/webhooks/delivery.ts";
import type { Outcome } from "../../src/webhooks/post.ts";
import type { Message } from "../../src/webhooks/signature.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { SettablePauses, settled } from "../support/settable-pauses.ts";
import { replaced } from "../support/store-wrappers.ts";
import { eventAt, MemoryOutbox } from "./memory-outbox.ts";

const DAYS_3_MS = 3 * 24 * 60 * 60 * 1000;
const running = new AbortController().signal;

/** Deliveries of two processes on one outbox, to a receiver whose outcome each test decides. */
function fixture(wrap: (outbox: Outbox) => Outbox = (outbox) => outbox) {
  const clock = new SettableClock();
  const pauses = new SettablePauses(clock);
  const outbox = new MemoryOutbox(clock);
  const posted: (Message & { readonly end: (outcome: Outcome) => void })[] = [];
  const reported: unknown[] = [];
  const deliveries = () =>
    createDeliveries({
      outbox: wrap(outbox),
      clock,
      random: systemRandom,
      pause: pauses.pause,
      post: (message) => new Promise((end) => posted.push({ ...message, end })),
      reports: {
        delivered: () => reported.push("delivered"),
        failed: (reason) => reported.push(reason),
        dropped: (event) => reported.push(event),
        postponed: (error) => reported.push(error),
      },
    });
  const [one, other] = [deliveries(), deliveries()];
  /** One attempt of the only event that is due. */
  async function attempt(outcome: Outcome): Promise<void> {
    const [queued] = await outbox.due(1);
    const claimed = queued && (await one.claim(queued));
    if (claimed == null) throw new Error("no event is due");
    const delivery = one.deliver(claimed, running);
    posted.at(-1)?.end(outcome);
    await delivery;
  }
  return { clock, pauses, outbox, posted, reported, one, other, attempt };
}

async function dueOf(outbox: MemoryOutbox): Promise<QueuedEvent> {
  const [queued] = await outbox.due(1);
  if (queued === undefined) throw new Error("no event is due");
  return queued;
}

describe("a delivery", () => {
  test("posts the event under its id and removes it from the outbox", async () => {
    const { clock, outbox, posted, reported, attempt } = fixture();
    const event = outbox.add(eventAt(clock.nowMs()));
    await attempt("delivered");
    expect(posted).toMatchObject([
      { id: event.id, body: expect.stringContaining('"type":"backup.recovered"') },
    ]);
    expect(outbox.queued.size).toBe(0);
    expect(reported).toEqual(["delivered"]);
  });

  test("that failed is repeated, with the same id and body, until it succeeds", async () => {
    const { clock, outbox, posted, reported, attempt } = fixture();
    outbox.add(eventAt(clock.nowMs()));
    for (const outcome of ["timeout", "http_5xx", "tls", "delivered"] as const) {
      clock.set([...outbox.queued.values()][0]?.dueMs ?? 0);
      await attempt(outcome);
    }
    expect(reported).toEqual(["timeout", "http_5xx", "tls", "delivered"]);
    expect(new Set(posted.map(({ id, body }) => `${id} ${body}`)).size).toBe(1);
    expect(outbox.queued.size).toBe(0);
  });

  test("that a crash ended is due again within 7 s, to any process", async () => {
    const { clock, outbox, one, other } = fixture();
    outbox.add(eventAt(clock.nowMs()));
    await one.claim(await dueOf(outbox)); // and then its process ends
    expect(await outbox.due(1)).toEqual([]);
    clock.advance(7_000);
    expect(await other.claim(await dueOf(outbox))).toMatchObject({ attempts: 2 });
  });

  test("is made by one process of several that see the event", async () => {
    const { clock, outbox, one, other } = fixture();
    outbox.add(eventAt(clock.nowMs()));
    const queued = await dueOf(outbox);
    const claims = await Promise.all([one.claim(queued), other.claim(queued)]);
    expect(claims.filter((claimed) => claimed !== null)).toHaveLength(1);
  });

  test("that takes its time is not repeated meanwhile", async () => {
    const { clock, pauses, outbox, posted, reported, one } = fixture();
    outbox.add(eventAt(clock.nowMs()));
    const claimed = await one.claim(await dueOf(outbox));
    if (claimed === null) throw new Error("not claimed");
    const delivery = one.deliver(claimed, running);
    for (let second = 0; second < 60; second++) {
      await pauses.pass(1_000);
      expect(await outbox.due(1)).toEqual([]);
    }
    posted[0]?.end("delivered");
    await delivery;
    expect([outbox.queued.size, posted.length, pauses.pendingMs.length]).toEqual([0, 1, 0]);
    expect(reported).toEqual(["delivered"]);
  });

  test("that a crash ended after a while is due again within 7 s", async () => {
    for (const seconds of [1, 3, 5, 7, 9]) {
      const { clock, pauses, outbox, one, other } = fixture();
      outbox.add(eventAt(clock.nowMs()));
      const claimed = await one.claim(await dueOf(outbox));
      if (claimed === null) throw new Error("not claimed");
      void one.deliver(claimed, running);
      await pauses.pass(seconds * 1_000); // and then its process ends: nothing more is renewed
      clock.advance(7_000);
      expect(await other.claim(await dueOf(outbox))).not.toBeNull();
    }
  });

  test("that the receiver takes within the first seconds costs two writes", async () => {
    let writes = 0;
    const counting = (outbox: Outbox) =>
      replaced(outbox, {
        claim: (queued, atMs) => {
          writes++;
          return outbox.claim(queued, atMs);
        },
        settle: (claimed) => {
          writes++;
          return outbox.settle(claimed);
        },
      });
    const { clock, outbox, attempt } = fixture(counting);
    outbox.add(eventAt(clock.nowMs()));
    await attempt("delivered");
    expect(writes).toBe(2);
  });

  test("to a receiver that refuses the event for good (410) is not repeated", async () => {
    const { clock, outbox, reported, attempt } = fixture();
    const { id } = outbox.add(eventAt(clock.nowMs()));
    await attempt("gone");
    expect(outbox.queued.size).toBe(0);
    expect(reported).toEqual(["gone", { eventId: id, attempts: 1, reason: "gone" }]);
  });

  test("is given up after three days, and that is reported", async () => {
    const { clock, outbox, posted, reported, attempt } = fixture();
    const { id, atMs } = outbox.add(eventAt(clock.nowMs()));
    while (outbox.queued.size > 0) {
      clock.set([...outbox.queued.values()][0]?.dueMs ?? 0);
      await attempt("http_5xx");
    }
    expect(clock.nowMs() - atMs).toBe(DAYS_3_MS);
    expect(reported.at(-1)).toEqual({ eventId: id, attempts: posted.length, reason: "http_5xx" });
    expect(reported.slice(0, -1).every((reason) => reason === "http_5xx")).toBe(true);
  });

  test("that the end of the process ends leaves the event for its next attempt", async () => {
    const { clock, outbox, reported, attempt } = fixture();
    outbox.add(eventAt(clock.nowMs()));
    await attempt("ended");
    clock.advance(7_000);
    expect(await outbox.due(1)).toMatchObject([{ attempts: 1 }]);
    expect(reported).toEqual([]);
  });

  test("whose claim was lost meanwhile leaves the event to the other process", async () => {
    const { clock, outbox, posted, one, other } = fixture();
    outbox.add(eventAt(clock.nowMs()));
    const claimed = await one.claim(await dueOf(outbox));
    if (claimed === null) throw new Error("not claimed");
    const delivery = one.deliver(claimed, running);
    clock.advance(60_000); // as of a process that was suspended: its pause has not ended
    expect(await other.claim(await dueOf(outbox))).not.toBeNull();
    posted[0]?.end("delivered");
    await delivery;
    expect([...outbox.queued.values()]).toMatchObject([{ attempts: 2 }]);
  });

  test("without a response of the outbox leaves the event, and is reported", async () => {
    const down = new StorageUnavailable("down");
    let isDown = true;
    const failing = (outbox: Outbox) =>
      replaced(outbox, {
        claim: (queued, atMs) => (isDown ? Promise.reject(down) : outbox.claim(queued, atMs)),
        settle: () => Promise.reject(down),
      });
    const { clock, outbox, posted, reported, one, attempt } = fixture(failing);
    outbox.add(eventAt(clock.nowMs()));
    expect(await one.claim(await dueOf(outbox))).toBeNull();
    isDown = false;
    await attempt("delivered");
    expect(reported).toEqual([down, "delivered", down]);
    expect([outbox.queued.size, posted.length]).toEqual([1, 1]);
  });

  test("that cannot be renewed goes on, and settles the claim that it has", async () => {
    const down = new StorageUnavailable("down");
    let claims = 0;
    const failing = (outbox: Outbox) =>
      replaced(outbox, {
        claim: (queued, atMs) => (claims++ === 0 ? outbox.claim(queued, atMs) : Promise.reject(down)),
      });
    const { clock, pauses, outbox, posted, reported, one } = fixture(failing);
    outbox.add(eventAt(clock.nowMs()));
    const claimed = await one.claim(await dueOf(outbox));
    if (claimed === null) throw new Error("not claimed");
    const delivery = one.deliver(claimed, running);
    await pauses.pass(9_000);
    posted[0]?.end("delivered");
    await delivery;
    expect([reported, outbox.queued.size]).toEqual([[down, "delivered"], 0]);
  });

  test("of an event that cannot be posted is reported, and leaves it", async () => {
    const { clock, outbox, posted, reported, one } = fixture();
    outbox.add(eventAt(clock.nowMs(), { body: {} }));
    const claimed = await one.claim(await dueOf(outbox));
    if (claimed === null) throw new Error("not claimed");
    await one.deliver(claimed, running);
    await settled();
    expect([posted, outbox.queued.size]).toEqual([[], 1]);
    expect(reported).toEqual([new TypeError("an event has no kind")]);
  });
});
