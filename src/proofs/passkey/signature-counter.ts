/** The rule about signature counters (WebAuthn L3 §6.1.1), for proofs and for the commits that keep a counter. */
import type { ErrorCode } from "../../errors.ts";
import type { Nonce } from "../../runtime/nonce.ts";
import { PossibleReplay } from "../possible-replay.ts";
import type { StoredCredential } from "./stored-credential.ts";

/** The counter and flag of a verified assertion. */
export interface ShownCounter {
  readonly counter: number;
  /** Whether the passkey may be synchronised to other devices, as the assertion says (WebAuthn L3 §6.1.3). */
  readonly backupEligible: boolean;
}

/** Whether a counter did not grow though it counts. Authenticators that do not count send and keep 0. */
export function isCounterRegression(stored: Pick<StoredCredential, "counter">, shown: ShownCounter): boolean {
  return stored.counter > 0 && shown.counter <= stored.counter;
}

/**
 * Refuses a counter that did not grow, unless the passkey may be on several devices. Each device counts by itself, so a
 * lower counter is no sign of a copy there, and refusing it would lose the backup. The flag of the assertion itself is
 * enough: a copy that can sign the flag can also sign a higher counter.
 *
 * @param nonces of the solved challenge: only their use distinguishes a replay from a copy of the authenticator.
 * @throws PossibleReplay with `code`.
 */
export function requireCounterGrowth(
  code: ErrorCode,
  stored: Pick<StoredCredential, "counter" | "deviceType">,
  shown: ShownCounter,
  nonces: readonly Nonce[],
): void {
  if (stored.deviceType === "multiDevice" || shown.backupEligible) return;
  if (isCounterRegression(stored, shown))
    throw new PossibleReplay(code, "The signature counter of the passkey did not grow", nonces);
}
