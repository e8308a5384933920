import type { Clock } from "./clock.ts";

/** Calls `run` again only once `ms` have passed since its last call ended. Until then, all calls share that result. */
export function atMostEvery<T>(ms: number, clock: Clock, run: () => Promise<T>): () => Promise<T> {
  let last: Promise<T> | null = null;
  let endedAtMs: number | null = null;
  return () => {
    const isOld = endedAtMs !== null && Math.abs(clock.nowMs() - endedAtMs) >= ms;
    if (last === null || isOld) {
      last = run().finally(() => {
        endedAtMs = clock.nowMs();
      });
      endedAtMs = null;
    }
    return last;
  };
}
