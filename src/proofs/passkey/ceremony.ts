/**
 * The checks of every WebAuthn ceremony (WebAuthn L3 §7.1 and §7.2). Registration, authentication and Turnkey stamps
 * are checked by this same code, so that a passkey that was registered can also be used.
 */
import type { WebAuthnConfig } from "../../config/webauthn.ts";
import { encodeBase64Url, sha256 } from "../../crypto/encoding.ts";
import { type AuthenticatorData, readAuthenticatorData } from "./authenticator-data.ts";
import { readClientData } from "./client-data.ts";

/** What the device signed, as bytes. */
export interface SignedCeremony {
  readonly clientDataJson: Uint8Array;
  readonly authenticatorData: Uint8Array;
}

export interface ExpectedCeremony {
  readonly type: "webauthn.create" | "webauthn.get";
  readonly challenge: Uint8Array;
  readonly userVerification: "required" | "not needed";
}

/** A ceremony was refused. The message is the reason and contains nothing of the input. */
export class CeremonyFailure extends Error {
  constructor(reason: string, cause?: unknown) {
    super(reason, { cause });
    this.name = "CeremonyFailure";
  }
}

/**
 * Checks everything in a ceremony but its signature.
 *
 * @throws CeremonyFailure
 */
export function requireCeremony(
  { clientDataJson, authenticatorData }: SignedCeremony,
  expected: ExpectedCeremony,
  config: WebAuthnConfig,
): AuthenticatorData {
  const { type, challenge, origin } = readOr("the client data cannot be read", () =>
    readClientData(clientDataJson),
  );
  if (challenge !== encodeBase64Url(expected.challenge))
    throw new CeremonyFailure("it is for another challenge");
  if (type !== expected.type) throw new CeremonyFailure(`its type is not ${expected.type}`);
  if (!config.origins.includes(origin)) throw new CeremonyFailure("it is from another origin");

  const data = readOr("the authenticator data cannot be read", () =>
    readAuthenticatorData(authenticatorData),
  );
  if (!sha256(config.rpId).every((byte, at) => byte === data.rpIdHash[at]))
    throw new CeremonyFailure("it is for another relying party");
  if (!data.userPresent) throw new CeremonyFailure("the user was not present");
  if (expected.userVerification === "required" && !data.userVerified)
    throw new CeremonyFailure("the user was not verified");
  if (data.backedUp && !data.backupEligible)
    throw new CeremonyFailure("the passkey is backed up though it cannot be");
  return data;
}

/** The message that a ceremony's signature is over (WebAuthn L3 §6.3.3). */
export function signedMessage({ clientDataJson, authenticatorData }: SignedCeremony): Uint8Array {
  return Buffer.concat([authenticatorData, sha256(clientDataJson)]);
}

function readOr<T>(reason: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new CeremonyFailure(reason, error);
  }
}
