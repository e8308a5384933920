import { readAttestationObject } from "./attestation-object.ts";
import { readAuthenticatorData } from "./authenticator-data.ts";
import { parseRegistration } from "./webauthn-credential.ts";

/** What a registration says of its passkey besides the key. */
export interface DescribedPasskey {
  /** The model of the authenticator as a UUID. */
  readonly aaguid: string;
  readonly transports: readonly string[];
}

/**
 * Reads a registration that was verified when it was stored. `null` where it cannot be read: what it describes is for
 * people and for hints, and no reason to refuse a passkey.
 */
export function describedPasskey(registration: unknown): DescribedPasskey | null {
  try {
    const { attestationObject, transports } = parseRegistration(registration);
    const { attested } = readAuthenticatorData(readAttestationObject(attestationObject).authenticatorData);
    return attested && { aaguid: attested.aaguid, transports };
  } catch {
    return null;
  }
}
