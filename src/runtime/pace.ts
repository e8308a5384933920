import { setTimeout as after } from "node:timers/promises";
import type { Clock } from "./clock.ts";

/** Bounds how often something is done. */
export interface Pace {
  /** Resolves when the next one may be done. */
  next(): Promise<void>;
}

/** Bursts are this many in a second, or fewer where one is of a single item: a timer cannot wait for much less. */
const BURSTS_PER_SECOND = 10;

/** Lets at most `perSecond` of them pass in a second on average, in bursts with a pause after each. */
export function createBursts(
  perSecond: number,
  clock: Pick<Clock, "elapsedMs">,
  wait?: (ms: number) => Promise<unknown>,
): Pace {
  const size = Math.max(1, Math.floor(perSecond / BURSTS_PER_SECOND));
  const bursts = createPace(perSecond / size, clock, wait);
  let left = 0;
  let opening: Promise<void> | null = null;
  return {
    async next() {
      while (left === 0) {
        opening ??= bursts.next().then(() => {
          left = size;
          opening = null;
        });
        await opening;
      }
      left -= 1;
    },
  };
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
