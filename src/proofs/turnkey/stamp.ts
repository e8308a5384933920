/**
 * A passkey's WebAuthn stamp on a Turnkey activity, accepted in place of an ordinary assertion: the passkey signs
 * the hash of the activity, and the activity carries our challenge. So one prompt authorises Turnkey and this service.
 */
import type { WebAuthnConfig } from "../../config/webauthn.ts";
import { encodeHex, sha256 } from "../../crypto/encoding.ts";
import { ServiceError } from "../../errors.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Nonce } from "../../runtime/nonce.ts";
import { CeremonyFailure, requireCeremony, signedMessage } from "../passkey/ceremony.ts";
import { importCosePublicKey, verifyCoseSignature } from "../passkey/cose-key.ts";
import { requireCounterGrowth, type ShownCounter } from "../passkey/signature-counter.ts";
import { type StoredCredential, storedPublicKey } from "../passkey/stored-credential.ts";
import { type ParsedAssertion, parseAssertion } from "../passkey/webauthn-credential.ts";
import { type ExpectedActivity, requireActivity, turnkeyError } from "./activity.ts";

/** A stamp that is not verified yet. `assertion.credentialId` names the passkey to look up. */
export interface TurnkeyStamp {
  readonly assertion: ParsedAssertion;
  /** The exact JSON text of the activity. */
  readonly activity: string;
}

export interface ExpectedStamp extends ExpectedActivity {
  readonly nonce: Nonce;
  readonly credential: StoredCredential;
}

/**
 * The first half, before the passkey is known.
 *
 * @throws ServiceError `missing_turnkey_activity`, then what {@link parseAssertion} throws.
 */
export function readTurnkeyStamp(credential: unknown, activity: string | null | undefined): TurnkeyStamp {
  if (activity == null || activity === "")
    throw new ServiceError("missing_turnkey_activity", "A passkey authorises this by a Turnkey activity");
  return { assertion: parseAssertion(credential), activity };
}

/**
 * The second half: checks that the passkey signed the activity just now, here and for our challenge. Returns the
 * signature counter to keep.
 *
 * @throws ServiceError `turnkey_activity_error` (as `PossibleReplay` when only the counter is wrong), and what
 *   {@link requireActivity} throws.
 */
export function verifyTurnkeyStamp(
  { assertion, activity }: TurnkeyStamp,
  expected: ExpectedStamp,
  config: WebAuthnConfig,
  clock: Clock,
): ShownCounter {
  const { credential, nonce } = expected;
  const { counter, backupEligible } = requireStamp(assertion, activity, config);
  requireSignature(assertion, credential);
  requireActivity(activity, expected, clock);
  const shown = { counter, backupEligible };
  requireCounterGrowth("turnkey_activity_error", credential, shown, [nonce]);
  return shown;
}

/**
 * Turnkey's challenge is the ASCII of the hash of the activity in hex. It requires no user verification.
 */
function requireStamp(assertion: ParsedAssertion, activity: string, config: WebAuthnConfig): ShownCounter {
  const challenge = Buffer.from(encodeHex(sha256(activity)), "ascii");
  try {
    return requireCeremony(
      assertion,
      { type: "webauthn.get", challenge, userVerification: "not needed" },
      config,
    );
  } catch (error) {
    if (error instanceof CeremonyFailure) throw turnkeyError(`about its stamp: ${error.message}`, error);
    throw error;
  }
}

function requireSignature(assertion: ParsedAssertion, credential: StoredCredential): void {
  if (credential.algorithm !== "ES256") throw turnkeyError("the passkey is not an ES256 key");
  const publicKey = importCosePublicKey(storedPublicKey(credential));
  if (!verifyCoseSignature(publicKey, signedMessage(assertion), assertion.signature))
    throw turnkeyError("its stamp does not verify");
}
