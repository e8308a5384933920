/** Delivers the events of the outbox for as long as the process runs. */
import { type Clock, fraction, type Random } from "../runtime/clock.ts";
import type { Pause } from "../runtime/pause.ts";
import type { Outbox } from "../storage/outbox.ts";
import type { Deliveries, DeliveryReports } from "./delivery.ts";

export interface Webhooks {
  /** Reports that an event was queued that is due at `dueMs`, so that it does not wait for the next poll. */
  queued(dueMs: number): void;
  /** Ends running deliveries, whose events stay queued for their next attempts. Resolves when all have ended. */
  stop(): Promise<void>;
}

export interface WebhooksOptions {
  readonly outbox: Pick<Outbox, "due">;
  readonly deliveries: Deliveries;
  readonly reports: Pick<DeliveryReports, "postponed">;
  readonly clock: Pick<Clock, "nowMs">;
  readonly random: Pick<Random, "bytes">;
  readonly pause: Pause;
}

/** How many deliveries run at a time. */
const MAX_RUNNING = 16;
/** The pause between two polls. It is random, so that processes that were started together do not poll together. */
const POLL_MS = { min: 1_000, max: 2_000 };

/**
 * Starts to deliver. Events of other processes, and those whose attempt failed, are found by polling; a receiver that
 * takes its time delays at most {@link MAX_RUNNING} of them.
 */
export function startWebhooks({
  outbox,
  deliveries,
  reports,
  clock,
  random,
  pause,
}: WebhooksOptions): Webhooks {
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();
  let sleep = new AbortController();
  /** When the earliest of the events that were reported is due. */
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
    if (ms > 0) await pause(ms, AbortSignal.any([sleep.signal, stopping.signal]));
  }

  const ended = run();
  return {
    queued(dueMs) {
      if (dueMs >= soonestMs) return;
      soonestMs = dueMs;
      sleep.abort();
    },
    async stop() {
      stopping.abort();
      await ended;
    },
  };
}
