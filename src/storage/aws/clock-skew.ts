/**
 * Requests that AWS refuses because this machine's clock differs from AWS's. The SDK takes the time from the response and
 * signs with it from then on, so the request can be retried at once.
 */
import { statusOf, textAt } from "./sdk-error.ts";

/** From this difference on the SDK corrects the clock. AWS tolerates at least 5 minutes. */
const MIN_SKEW_MS = 4 * 60 * 1000;
const REFUSED = new Set([400, 401, 403]);
const CLOCK_ERRORS = new Set(["RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"]);
/** DynamoDB's message for the same; its error has the name of a wrong secret key. */
const CLOCK_MESSAGE = /Signature (expired|not yet current)/;

/**
 * By how many milliseconds this machine's clock is ahead of the server's; negative when it is behind. `null` when the
 * request was not refused, the response has no time, or the clocks agree.
 */
export function clockSkewMs(error: unknown): number | null {
  if (!(error instanceof Error) || !REFUSED.has(statusOf(error) ?? 0)) return null;
  const theirsMs = Date.parse(
    textAt(error, "ServerTime") ?? textAt(error, "$response", "headers", "date") ?? "",
  );
  const skewMs = Date.now() - theirsMs;
  return Math.abs(skewMs) >= MIN_SKEW_MS ? skewMs : null;
}

/** Whether AWS refused a request because of the time in its signature. */
export function isClockError(error: Error): boolean {
  return CLOCK_ERRORS.has(error.name) || CLOCK_MESSAGE.test(error.message);
}

/** Says to operators how wrong the clock is. `skewMs` as {@link clockSkewMs} returns it. */
export function clockMessage(skewMs: number | null): string {
  if (skewMs === null) return "the clock of this machine differs too much from AWS's";
  const minutes = Math.round(Math.abs(skewMs) / 60_000);
  return `the clock of this machine is ${minutes} minutes ${skewMs > 0 ? "ahead of" : "behind"} AWS's`;
}
