import type { HttpResponse } from "@smithy/types";
import { textAt } from "../sdk-error.ts";
import type { SdkConfig } from "./sdk.ts";

/** A response that took longer was kept somewhere, or this process stood still: it tells no time. */
const MAX_RESPONSE_MS = 15 * 60 * 1000;

/**
 * Learns AWS's time from a response, by the SDK's rules and for the SDK's clients too: from each response, and from what
 * a refusal names.
 *
 * @param sentAtMs when the request was sent, by this machine's clock.
 */
export async function learnTime(
  config: SdkConfig,
  { headers }: HttpResponse,
  sentAtMs: number,
  error?: Error,
): Promise<void> {
  const nowMs = Date.now();
  const theirsMs = Date.parse((error && textAt(error, "ServerTime")) ?? headers.date ?? "");
  if (Number.isNaN(theirsMs) || headers.age !== undefined || nowMs - sentAtMs > MAX_RESPONSE_MS) return;
  if (!(await config.disableClockSkewCorrection?.())) config.systemClockOffset = theirsMs - nowMs;
}
