/**
 * A passkey's WebAuthn stamp on a Turnkey activity, accepted in the place of an ordinary assertion: the passkey signs
 * the hash of the activity, and the activity carries our challenge. So one prompt authorises Turnkey and us.
 */
import { parseAuthenticatorData } from "@simplewebauthn/server/helpers";
import type { Clock } from "../clock.ts";
import type { WebAuthnConfig } from "../config.ts";
import { verifyP256 } from "../crypto/ecdsa.ts";
import { decodeBase64Url, encodeBase64Url, encodeHex, sha256 } from "../crypto/encoding.ts";
import { ServiceError } from "../errors.ts";
import { type ClientData, readClientData } from "./client-data.ts";
import { importCosePublicKey } from "./cose-key.ts";
import { requireCounterGrowth } from "./signature-counter.ts";
import type { StoredCredential } from "./stored-credential.ts";
import { type ExpectedActivity, requireActivity, turnkeyError } from "./turnkey-activity.ts";
import { type ParsedAssertion, parseAssertion } from "./webauthn-credential.ts";

/** A stamp as it was sent; nothing of it has been verified. `assertion.credentialId` names the passkey to look up. */
export interface TurnkeyStamp {
  readonly assertion: ParsedAssertion;
  /** The exact JSON text of the activity. */
  readonly activity: string;
}

export interface ExpectedStamp extends ExpectedActivity {
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
 * @throws ServiceError `turnkey_activity_error` (as `CounterRegression` when only the counter is wrong), and what
 *   {@link requireActivity} throws.
 */
export function verifyTurnkeyStamp(
  { assertion, activity }: TurnkeyStamp,
  expected: ExpectedStamp,
  config: WebAuthnConfig,
  clock: Clock,
): { readonly counter: number } {
  const { credential } = expected;
  requireClientData(clientDataOf(assertion), activity, config);
  const counter = requireAuthenticatorData(assertion.authenticatorData, config);
  requireSignature(assertion, credential);
  requireActivity(activity, expected, clock);
  requireCounterGrowth("turnkey_activity_error", credential, counter);
  return { counter };
}

function clientDataOf({ clientDataJson }: ParsedAssertion): ClientData {
  try {
    return readClientData(clientDataJson);
  } catch (error) {
    throw turnkeyError("the client data of its stamp cannot be read", error);
  }
}

/** Turnkey's challenge is the hash of the activity as hex digits, and those as bytes. */
function requireClientData(
  { type, challenge, origin }: ClientData,
  activity: string,
  config: WebAuthnConfig,
) {
  const hash = Buffer.from(encodeHex(sha256(activity)), "ascii");
  if (challenge !== encodeBase64Url(hash)) throw turnkeyError("its stamp is for another activity");
  if (type !== "webauthn.get") throw turnkeyError("its stamp is no assertion");
  if (!config.origins.includes(origin)) throw turnkeyError("its stamp is from another origin");
}

/** WebAuthn L3 §6.1. Returns the signature counter. */
function requireAuthenticatorData(bytes: Uint8Array, { rpId }: WebAuthnConfig): number {
  const { rpIdHash, flags, counter } = parsedAuthenticatorData(bytes);
  if (!sha256(rpId).every((byte, at) => byte === rpIdHash[at]))
    throw turnkeyError("its stamp is for another relying party");
  if (!flags.up) throw turnkeyError("nobody was present when it was stamped");
  return counter;
}

function parsedAuthenticatorData(bytes: Uint8Array) {
  try {
    return parseAuthenticatorData(new Uint8Array(bytes));
  } catch (error) {
    throw turnkeyError("the authenticator data of its stamp cannot be read", error);
  }
}

/** WebAuthn L3 §6.3.3: the signature is over the authenticator data and the hash of the client data. */
function requireSignature(
  { authenticatorData, clientDataJson, signature }: ParsedAssertion,
  { publicKey }: StoredCredential,
): void {
  const cose = decodeBase64Url(publicKey);
  if (cose === null) throw new Error("a stored public key is not base64url");
  const { algorithm, key } = importCosePublicKey(cose);
  if (algorithm !== "ES256") throw turnkeyError("the passkey is not an ES256 key");
  if (!verifyP256(key, Buffer.concat([authenticatorData, sha256(clientDataJson)]), signature))
    throw turnkeyError("its stamp does not verify");
}
