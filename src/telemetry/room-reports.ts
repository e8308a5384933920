import type { Clock } from "../runtime/clock.ts";
import type { Logger } from "./logger.ts";

/** Reports requests for which the service has no room at the moment. */
export interface RoomReports {
  /** @param reason which room it was; a constant text. */
  refused(reason: string): void;
}

const LOGGED_EVERY_MS = 60_000;

/** Each reason is logged at most once a minute, with the number of requests since: a flood must not fill the log. */
export function createRoomReports(log: Pick<Logger, "warn">, clock: Pick<Clock, "elapsedMs">): RoomReports {
  const reasons = new Map<string, { loggedMs: number; requests: number }>();
  return {
    refused(reason) {
      const known = reasons.get(reason) ?? { loggedMs: Number.NEGATIVE_INFINITY, requests: 0 };
      reasons.set(reason, known);
      known.requests += 1;
      if (clock.elapsedMs() - known.loggedMs < LOGGED_EVERY_MS) return;
      log.warn({ reason, requests: known.requests }, "there is no room for requests");
      known.loggedMs = clock.elapsedMs();
      known.requests = 0;
    },
  };
}
