/** An event from the outbox to the receiver: claimed, posted, settled. */
import { type Clock, fraction, type Random } from "../runtime/clock.ts";
import type { Pause } from "../runtime/pause.ts";
import type { Outbox, QueuedEvent } from "../storage/outbox.ts";
import { webhookBody } from "./body.ts";
import type { Failure, Post } from "./post.ts";
import { isGivenUp, nextAttemptMs, renewalMs } from "./schedule.ts";

/** Called with what becomes of deliveries. */
export interface DeliveryReports {
  delivered(): void;
  failed(reason: Failure): void;
  /** The event is not delivered again: the receiver responded that it does not want it (`gone`), or its time is over. */
  dropped(event: { readonly eventId: string; readonly attempts: number; readonly reason: Failure }): void;
  /** An event stays queued, because the outbox did not respond or the event cannot be posted. */
  postponed(error: unknown): void;
}

export interface DeliveryOptions {
  readonly outbox: Outbox;
  /** As for {@link webhookBody}. */
  readonly unscoped?: string | null;
  readonly post: Post;
  readonly reports: DeliveryReports;
  readonly clock: Pick<Clock, "nowMs">;
  readonly random: Pick<Random, "bytes">;
  readonly pause: Pause;
}

export interface Deliveries {
  /** Claims an attempt; `null` when another process was faster, or the outbox does not respond. Never rejects. */
  claim(queued: QueuedEvent): Promise<QueuedEvent | null>;
  /** Posts a claimed event, and settles it unless it is to be delivered again. Never rejects. */
  deliver(claimed: QueuedEvent, stopping: AbortSignal): Promise<void>;
}

/** A claim that is about to end while its delivery runs is renewed this long before. */
const RENEWED_BEFORE_MS = 1_000;

/**
 * The claim of an attempt stores when the next one is due. So a failed attempt costs no other write, and the event of a
 * crashed process is delivered by the next attempt. The first pauses are shorter than a receiver may take: a delivery that
 * still runs shortly before the end of its claim renews it, so that no other process delivers the event at the same time.
 */
export function createDeliveries({
  outbox,
  unscoped = null,
  post,
  reports,
  clock,
  random,
  pause,
}: DeliveryOptions): Deliveries {
  async function claimUntil(nextAttemptAtMs: number, queued: QueuedEvent): Promise<QueuedEvent | null> {
    try {
      return await outbox.claim(queued, nextAttemptAtMs);
    } catch (error) {
      reports.postponed(error);
      return null;
    }
  }

  /** Resolves, once `ended` is aborted, to the claim as it is then. One that was lost settles nothing. */
  async function renewed(claimed: QueuedEvent, ended: AbortSignal): Promise<QueuedEvent> {
    await pause(claimed.dueMs - RENEWED_BEFORE_MS - clock.nowMs(), ended);
    if (ended.aborted) return claimed;
    const renewal = await claimUntil(renewalMs(clock.nowMs(), fraction(random)), claimed);
    return renewal === null ? claimed : renewed(renewal, ended);
  }

  async function attempt(claimed: QueuedEvent, stopping: AbortSignal): Promise<void> {
    const message = { id: claimed.event.id, body: webhookBody(claimed.event, unscoped) };
    const ended = new AbortController();
    const renewing = renewed(claimed, ended.signal);
    const outcome = await post(message, stopping);
    ended.abort();
    const current = await renewing;
    if (outcome === "ended") return;
    if (outcome === "delivered") {
      reports.delivered();
      return await outbox.settle(current);
    }
    reports.failed(outcome);
    const isLast = outcome === "gone" || isGivenUp(current, clock.nowMs());
    if (!isLast) return;
    await outbox.settle(current);
    reports.dropped({ eventId: message.id, attempts: current.attempts, reason: outcome });
  }

  return {
    claim: (queued) => claimUntil(nextAttemptMs(queued, clock.nowMs(), fraction(random)), queued),
    async deliver(claimed, stopping) {
      try {
        await attempt(claimed, stopping);
      } catch (error) {
        reports.postponed(error);
      }
    },
  };
}
