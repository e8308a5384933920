/** `AbortSignal.throwIfAborted`, which React Native has not. @throws the reason of the signal. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  throw signal.reason ?? Object.assign(new Error("aborted"), { name: "AbortError" });
}
