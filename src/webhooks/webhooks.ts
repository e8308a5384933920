/** Delivers the events of the outbox for as long as the process runs. */
import { fraction } from "../runtime/clock.ts";
import type { NewEvent } from "../storage/contract.ts";
import { createDeliveries, type DeliveryOptions } from "./delivery.ts";

export interface Webhooks {
  /** Takes note of events that were stored, so that those to deliver do not wait for the next poll. */
  announce(events: readonly NewEvent[]): void;
  /** Ends running deliveries, whose events stay queued for their next attempts. Resolves when all have ended. */
  stop(): Promise<void>;
}

/** How many deliveries run at a time. */
const MAX_RUNNING = 16;
/** The pause between two polls. It is random, so that processes that were started together do not poll together. */
const POLL_MS = { min: 1_000, max: 2_000 };

/**
 * Starts to deliver. Events of other processes, and those whose attempt failed, are found by polling; a receiver that
 * takes its time delays at most {@link MAX_RUNNING} of them.
 */
export function startWebhooks(options: DeliveryOptions): Webhooks {
  const { outbox, reports, clock, random, pause } = options;
  const deliveries = createDeliveries(options);
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();
  let sleep = new AbortController();
  /** When the earliest of the events that were announced is due. */
  let soonestMs = Number.POSITIVE_INFINITY;

  /** Starts deliveries, as far as they may run. @returns whether there may be more that are due. */
  async function startDue(): Promise<boolean> {
    if (running.size === MAX_RUNNING) await Promise.race(running);
    const limit = MAX_RUNNING - running.size;
    const due = await outbox.due(limit);
    if (stopping.signal.aborted) return false;
    const claimed = (await Promise.all(due.map(deliveries.claim))).filter((event) => event !== null);
    for (const event of claimed) {
      const delivery = deliveries.deliver(event, stopping.signal).finally(() => running.delete(delivery));
      running.add(delivery);
    }
    return due.length === limit && claimed.length > 0;
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      if (soonestMs <= clock.nowMs()) soonestMs = Number.POSITIVE_INFINITY;
      const isMoreDue = await startDue().catch((error: unknown) => {
        reports.postponed(error);
        return false;
      });
      if (!isMoreDue) await untilNextPoll();
    }
    await Promise.all(running);
  }

  async function untilNextPoll(): Promise<void> {
    sleep = new AbortController();
    const pollMs = POLL_MS.min + (POLL_MS.max - POLL_MS.min) * fraction(random);
    const ms = Math.min(pollMs, soonestMs - clock.nowMs());
    if (ms > 0 && !stopping.signal.aborted) await pause(ms, sleep.signal);
  }

  const ended = run();
  return {
    announce(events) {
      const dueMs = Math.min(...events.map(({ deliverFromMs }) => deliverFromMs ?? Number.POSITIVE_INFINITY));
      if (dueMs >= soonestMs) return;
      soonestMs = dueMs;
      sleep.abort();
    },
    async stop() {
      stopping.abort();
      sleep.abort();
      await ended;
    },
  };
}
