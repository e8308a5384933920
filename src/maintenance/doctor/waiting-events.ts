import type { Examination } from "./examination.ts";
import { type Finding, finding } from "./findings.ts";

/** A webhook that works takes an event within seconds. */
const LATE_AFTER_MS = 60 * 60 * 1000;

/**
 * Finds events that the webhook should have taken while the service ran. In a copy, or while the service is stopped, events
 * wait as well, and are not late.
 */
export async function* waitingEvents({ records }: Examination): AsyncGenerator<Finding> {
  const [{ waiting, oldestMs }, lastSeenMs] = await Promise.all([
    records.outbox.backlog(),
    records.lastSeenMs(),
  ]);
  if (oldestMs === null || lastSeenMs === null || lastSeenMs - oldestMs < LATE_AFTER_MS) return;
  const since = new Date(oldestMs).toISOString();
  const detail = `${waiting} events wait, the oldest since ${since}; each is given up three days after it happened`;
  yield finding("events-not-delivered", { detail });
}
