import { atMostEvery } from "../runtime/at-most-every.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Outbox } from "../storage/outbox.ts";
import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";

/** What becomes of the events for the webhook. */
export interface WebhookReports {
  delivered(): void;
  failed(reason: string): void;
  dropped(event: { readonly eventId: string; readonly attempts: number; readonly reason: string }): void;
  postponed(error: unknown): void;
}

/** An outage makes every poll fail. */
const POSTPONED_LOGGED_EVERY_MS = 60_000;

/** The log has when failures begin and end, and every event that is dropped. Neither the URL nor what is in an event. */
export function createWebhookReports(
  log: Pick<Logger, "error" | "warn" | "info">,
  metrics: Pick<Metrics, "webhookDelivered" | "webhookFailures" | "webhookDropped">,
  clock: Pick<Clock, "elapsedMs">,
): WebhookReports {
  let isFailing = false;
  let postponedLoggedMs = Number.NEGATIVE_INFINITY;
  return {
    delivered() {
      metrics.webhookDelivered.inc();
      if (isFailing) log.info("the webhook takes events again");
      isFailing = false;
    },
    failed(reason) {
      metrics.webhookFailures.inc({ reason });
      if (!isFailing) log.warn({ reason }, "the webhook did not take an event");
      isFailing = true;
    },
    dropped(event) {
      metrics.webhookDropped.inc({ reason: event.reason === "gone" ? "gone" : "given_up" });
      log.error(event, "an event is not delivered to the webhook any more");
    },
    postponed(err) {
      if (clock.elapsedMs() - postponedLoggedMs < POSTPONED_LOGGED_EVERY_MS) return;
      postponedLoggedMs = clock.elapsedMs();
      log.error({ err }, "events for the webhook wait");
    },
  };
}

/** Measures at each scrape how many events wait, and for how long. */
export function watchOutbox(
  metrics: Pick<Metrics, "watch">,
  outbox: Pick<Outbox, "backlog">,
  clock: Clock,
): void {
  const backlog = atMostEvery(0, clock, () => outbox.backlog()); // both gauges of a scrape share a call
  metrics.watch("webhook_events_waiting", async () => (await backlog()).waiting);
  metrics.watch("webhook_oldest_event_age_seconds", async () => {
    const { oldestMs } = await backlog();
    return oldestMs === null ? 0 : Math.max(0, clock.nowMs() - oldestMs) / 1000;
  });
}
