import type { Clock } from "./clock.ts";

/** Runs `run` when its last result came `ms` ago or earlier; who asks before, or while it runs, shares that one. */
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
