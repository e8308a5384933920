import { setTimeout as after } from "node:timers/promises";
import type { Clock } from "./clock.ts";

/** Bounds how often something is done. */
export interface Pace {
  /** Resolves when the next one may be done. */
  next(): Promise<void>;
}

/** Lets `perSecond` of them pass in a second, evenly: the time in which nobody asked is not made up for. */
export function createPace(
  perSecond: number,
  clock: Pick<Clock, "elapsedMs">,
  wait: (ms: number) => Promise<unknown> = after,
): Pace {
  const everyMs = 1000 / perSecond;
  let nextMs = 0;
  return {
    async next() {
      const nowMs = clock.elapsedMs();
      const atMs = Math.max(nowMs, nextMs);
      nextMs = atMs + everyMs;
      if (atMs > nowMs) await wait(atMs - nowMs);
    },
  };
}
