/**
 * Events on their way to a webhook. A commit queues them; a process claims one, delivers it, and settles it. The rules at
 * the head of contract.ts hold here too.
 */
import type { StoredEvent } from "./contract.ts";

/** An event that is queued. */
export interface QueuedEvent {
  readonly event: StoredEvent;
  /** How often it was claimed. */
  readonly attempts: number;
  /** When it is due. */
  readonly dueMs: number;
}

export interface Outbox {
  /** Events that are due now, oldest first. */
  due(limit: number): Promise<readonly QueuedEvent[]>;

  /**
   * Claims an event before it is delivered: it is due again at `nextAttemptAtMs`, unless it is settled before. So after a
   * crash it is delivered then. Of several processes that claim the same attempt one succeeds.
   *
   * @returns the event as it is queued then, with one attempt more; `null` when it was claimed, settled or released since.
   */
  claim(queued: QueuedEvent, nextAttemptAtMs: number): Promise<QueuedEvent | null>;

  /** Removes an event that was delivered, or is given up. Does nothing when another process has claimed it since. */
  settle(claimed: QueuedEvent): Promise<void>;

  /** How many events are queued, due or not, and when the oldest happened. The number may be counted up to a limit only. */
  backlog(): Promise<{ readonly waiting: number; readonly oldestMs: number | null }>;
}
