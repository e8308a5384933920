import type { HttpResponse } from "@smithy/types";
import { textAt } from "../sdk-error.ts";
import type { SdkConfig } from "./sdk.ts";

/** A response that took longer was delayed, or this process was suspended: its time is too old to use. */
const MAX_RESPONSE_MS = 15 * 60 * 1000;

/**
 * Corrects the clock of an SDK client by the time in a response, as the SDK does: the time that a refusal names, else the
 * `date` header.
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
