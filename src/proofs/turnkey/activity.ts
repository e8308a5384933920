import { decodeBase64, encodeBase64 } from "../../crypto/encoding.ts";
import { ServiceError } from "../../errors.ts";
import type { Clock } from "../../runtime/clock.ts";
import { hasMembers } from "../passkey/has-members.ts";

const ACTIVITY_TYPE = "ACTIVITY_TYPE_CREATE_API_KEYS_V2";
const MAX_AGE_MS = 5 * 60 * 1000;

/** What an activity that solves a challenge must contain. */
export interface ExpectedActivity {
  readonly challenge: Uint8Array;
  /** The organisation of the backup's TURNKEY key; `null` when the backup has none. */
  readonly turnkeyAccountId: string | null;
}

/**
 * Checks the content of a Turnkey activity, which its signature covers.
 *
 * @param activity the JSON text of the activity.
 * @throws ServiceError `turnkey_activity_error` when it is of another organisation or type, or older than five minutes;
 *   `invalid_turnkey_activity` when it carries no challenge; `invalid_challenge` when that is another one.
 */
export function requireActivity(activity: string, expected: ExpectedActivity, clock: Clock): void {
  const { organizationId, type, timestampMs, metadata } = parsedActivity(activity);
  const { challenge, turnkeyAccountId } = expected;
  if (turnkeyAccountId !== null && organizationId !== turnkeyAccountId)
    throw turnkeyError("it is of another organisation than the backup's Turnkey key");
  if (type !== ACTIVITY_TYPE) throw turnkeyError(`its type is not ${ACTIVITY_TYPE}`);
  requireRecent(timestampMs, clock.nowMs());
  const text = challengeText(metadata);
  if (text === null)
    throw new ServiceError("invalid_turnkey_activity", "The Turnkey activity has no metadata.challenge");
  if (text !== encodeBase64(challenge))
    throw new ServiceError("invalid_challenge", "The challenge in the Turnkey activity is another one");
}

/** The bytes of the challenge in an activity; `null` where it has none. Nothing of it has been verified. */
export function challengeInActivity(activity: string): Uint8Array | null {
  try {
    const text = challengeText(parsedActivity(activity).metadata);
    return text === null ? null : decodeBase64(text);
  } catch {
    return null; // requireActivity reports it
  }
}

function challengeText(metadata: unknown): string | null {
  return hasMembers(metadata) && typeof metadata.challenge === "string" ? metadata.challenge : null;
}

export function turnkeyError(reason: string, cause?: unknown): ServiceError {
  return new ServiceError("turnkey_activity_error", `The Turnkey activity was not accepted: ${reason}`, {
    cause,
  });
}

function parsedActivity(activity: string): Readonly<Record<string, unknown>> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(activity);
  } catch (error) {
    throw turnkeyError("it is not JSON", error);
  }
  if (!hasMembers(parsed) || Array.isArray(parsed)) throw turnkeyError("it is not an object");
  return parsed;
}

/** A device's clock may be ahead, which is safe: the challenge is valid for 15 minutes and once. */
function requireRecent(timestampMs: unknown, nowMs: number): void {
  if (typeof timestampMs !== "string" || !/^[0-9]{1,15}$/.test(timestampMs))
    throw turnkeyError("its timestampMs is not a decimal string");
  const ageMs = nowMs - Number(timestampMs);
  if (ageMs > MAX_AGE_MS) throw turnkeyError("it is older than 5 minutes");
}
