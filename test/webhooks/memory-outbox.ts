import { type Clock, systemRandom } from "../../src/runtime/clock.ts";
import { timeOrderedId } from "../../src/runtime/time-ordered-id.ts";
import type { NewEvent } from "../../src/storage/contract.ts";
import type { Outbox, QueuedEvent } from "../../src/storage/outbox.ts";

/** An outbox in memory, that several processes of a test share. */
export class MemoryOutbox implements Outbox {
  readonly queued = new Map<string, QueuedEvent>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(event: NewEvent): NewEvent {
    this.queued.set(event.id, { event, attempts: 0, dueMs: event.deliverFromMs ?? event.atMs });
    return event;
  }

  async due(limit: number): Promise<readonly QueuedEvent[]> {
    return [...this.queued.values()]
      .filter(({ dueMs }) => dueMs <= this.#clock.nowMs())
      .toSorted((a, b) => a.dueMs - b.dueMs)
      .slice(0, limit);
  }

  async claim(queued: QueuedEvent, nextAttemptAtMs: number): Promise<QueuedEvent | null> {
    if (!this.#isCurrent(queued)) return null;
    const claimed = { ...queued, attempts: queued.attempts + 1, dueMs: nextAttemptAtMs };
    this.queued.set(queued.event.id, claimed);
    return claimed;
  }

  async settle(claimed: QueuedEvent): Promise<void> {
    if (this.#isCurrent(claimed)) this.queued.delete(claimed.event.id);
  }

  async backlog() {
    const times = [...this.queued.values()].map(({ event }) => event.atMs);
    return { waiting: times.length, oldestMs: times.length === 0 ? null : Math.min(...times) };
  }

  #isCurrent({ event, attempts }: QueuedEvent): boolean {
    return this.queued.get(event.id)?.attempts === attempts;
  }
}

export function eventAt(atMs: number, more: Partial<NewEvent> = {}): NewEvent {
  return {
    id: timeOrderedId(atMs, 0, systemRandom),
    backupId: "b1",
    atMs,
    body: { kind: "RECOVERED" },
    logId: null,
    expiresAtMs: atMs + 365 * 24 * 60 * 60 * 1000,
    deliverFromMs: atMs,
    ...more,
  };
}
