import { decodeBase64Url } from "../../crypto/encoding.ts";
import { readAttestationObject } from "./attestation-object.ts";
import { readAuthenticatorData } from "./authenticator-data.ts";
import { importCosePublicKey } from "./cose-key.ts";
import { readRegistration } from "./webauthn-credential.ts";

/** What a registration brings, as bytes. Nothing of it has been verified. */
export interface RegistrationMaterial {
  readonly credentialId: Uint8Array;
  /** The SEC 1 uncompressed point, 65 bytes. */
  readonly point: Uint8Array;
  readonly clientDataJson: Uint8Array;
  readonly attestationObject: Uint8Array;
}

const POINT_BYTES = 65;

/** Reads the material of a new ES256 passkey; `null` when it is another one, or not the response of a registration. */
export function registrationMaterial(credential: unknown): RegistrationMaterial | null {
  try {
    const { credentialId: id, clientDataJson, attestationObject } = readRegistration(credential);
    const { authenticatorData } = readAttestationObject(attestationObject);
    const { attested } = readAuthenticatorData(authenticatorData);
    const credentialId = decodeBase64Url(id);
    if (attested === null || credentialId === null) return null;
    const { algorithm, key } = importCosePublicKey(attested.publicKey);
    if (algorithm !== "ES256") return null;
    const point = key.export({ type: "spki", format: "der" }).subarray(-POINT_BYTES); // RFC 5480 §2.2
    return { credentialId, point, clientDataJson, attestationObject };
  } catch {
    return null; // the verification of the registration reports it
  }
}
