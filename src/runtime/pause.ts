/** Resolves after `ms`, or at once when that is over or `signal` is aborted. */
export type Pause = (ms: number, signal: AbortSignal) => Promise<void>;

export function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    resolve();
  };
  const timer = setTimeout(end, Math.max(0, ms)); // a negative time is a warning of the runtime
  signal.addEventListener("abort", end);
  if (signal.aborted) end();
  return promise;
}
