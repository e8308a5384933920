/**
 * Requests that AWS refuses because this machine's clock differs from its own. The SDK takes the right time from the
 * refusal and signs with it from then on, so the same request may be repeated at once.
 */
import { statusOf, textAt } from "./sdk-error.ts";

/** What the SDK takes for a clock that is wrong; AWS tolerates 5 minutes at least. */
const MIN_SKEW_MS = 4 * 60 * 1000;
const REFUSED = new Set([400, 401, 403]);
const CLOCK_ERRORS = new Set(["RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"]);
/** How DynamoDB words the same, under the name that a wrong secret key has too. */
const CLOCK_MESSAGE = /Signature (expired|not yet current)/;

/**
 * How much this machine's clock is ahead of the one that refused a request, in milliseconds; negative when it is behind.
 * `null` when the error is no refusal, has no time in it, or the clocks agree.
 */
export function clockSkewMs(error: unknown): number | null {
  if (!(error instanceof Error) || !REFUSED.has(statusOf(error) ?? 0)) return null;
  const theirsMs = Date.parse(
    textAt(error, "ServerTime") ?? textAt(error, "$response", "headers", "date") ?? "",
  );
  const skewMs = Date.now() - theirsMs;
  return Math.abs(skewMs) >= MIN_SKEW_MS ? skewMs : null;
}

/** Whether a request was refused for its time, whatever else may be wrong with it. */
export function isClockError(error: Error): boolean {
  return CLOCK_ERRORS.has(error.name) || CLOCK_MESSAGE.test(error.message);
}

/** For operators. */
export function clockMessage(skewMs: number | null): string {
  if (skewMs === null) return "the clock of this machine differs too much from AWS's";
  const minutes = Math.round(Math.abs(skewMs) / 60_000);
  return `the clock of this machine is ${minutes} minutes ${skewMs > 0 ? "ahead of" : "behind"} AWS's`;
}
