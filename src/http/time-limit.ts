import type { Arrival } from "../limits/arrival.ts";
import { remainingMs } from "../limits/request-time.ts";
import type { Clock } from "../runtime/clock.ts";

/** The longest time between two checks of a request. */
const MAX_CHECK_MS = 1_000;

export interface TimeLimitOptions {
  readonly timeoutMs: number;
  readonly clock: Pick<Clock, "elapsedMs">;
  /** How the body of an upload arrives; `null` for any other request. */
  readonly upload: () => Arrival | null;
  readonly onLate: () => void;
}

/** Starts the time limit of a request. The returned function ends it. An upload gains time while its body arrives. */
export function startTimeLimit({ timeoutMs, clock, upload, onLate }: TimeLimitOptions): () => void {
  const startedMs = clock.elapsedMs();
  const check = () => {
    const leftMs = remainingMs(clock.elapsedMs() - startedMs, timeoutMs, upload());
    if (leftMs <= 0) onLate();
    else timer = setTimeout(check, Math.min(MAX_CHECK_MS, Math.max(1, leftMs)));
  };
  let timer = setTimeout(check, Math.min(MAX_CHECK_MS, timeoutMs));
  return () => clearTimeout(timer);
}
