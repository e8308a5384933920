import { type ErrorCode, ServiceError } from "../errors.ts";
import type { StoredCredential } from "./stored-credential.ts";

/**
 * A genuine signature whose counter is not above the stored one: a copy of the authenticator, or a replay. The two
 * look alike here; whoever knows that the challenge was used before can tell them apart.
 */
export class CounterRegression extends ServiceError {
  constructor(code: ErrorCode) {
    super(code, "The signature counter of the passkey did not grow");
    this.name = "CounterRegression";
  }
}

/**
 * Compares a signature counter with the stored one (WebAuthn L3 §6.1.1). Authenticators that do not count send
 * and keep 0.
 *
 * @throws CounterRegression with `code`.
 */
export function requireCounterGrowth(
  code: ErrorCode,
  stored: Pick<StoredCredential, "counter">,
  counter: number,
): void {
  if (stored.counter > 0 && counter <= stored.counter) throw new CounterRegression(code);
}
