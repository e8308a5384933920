/** Passkeys: the two WebAuthn ceremonies of the relying party (WebAuthn L3 §7.1 and §7.2). */
import type { WebAuthnConfig } from "../../config/webauthn.ts";
import { encodeBase64Url } from "../../crypto/encoding.ts";
import { ServiceError } from "../../errors.ts";
import type { OpenedChallenge } from "../challenge-tokens.ts";
import { readAttestationObject, requireAttestation } from "./attestation-object.ts";
import { requireCeremony, signedMessage } from "./ceremony.ts";
import { importCosePublicKey, verifyCoseSignature } from "./cose-key.ts";
import { requireCounterGrowth, type ShownCounter } from "./signature-counter.ts";
import { type StoredCredential, storedPublicKey } from "./stored-credential.ts";
import { type ParsedAssertion, parseRegistration } from "./webauthn-credential.ts";

export interface VerifiedRegistration {
  /** base64url. */
  readonly credentialId: string;
  /** The unchanged response of the registration, which clients expect back. */
  readonly registration: unknown;
  readonly credential: StoredCredential;
}

/** The ceremonies of one relying party. */
export interface PasskeyVerifier {
  /**
   * Checks that a passkey was made for `challenge`.
   *
   * @throws ServiceError what {@link parseRegistration} throws; `webauthn_error` when the ceremony fails.
   */
  verifyRegistration(credential: unknown, challenge: Uint8Array): VerifiedRegistration;

  /**
   * Checks that a passkey signed the challenge. Returns the counter to keep.
   *
   * @throws ServiceError `webauthn_error` when the ceremony fails; as `PossibleReplay` when only the counter is wrong.
   */
  verifyAssertion(
    assertion: ParsedAssertion,
    opened: Pick<OpenedChallenge, "challenge" | "nonce">,
    credential: StoredCredential,
  ): ShownCounter;
}

/** WebAuthn L3 §7.1: longer ones should fail the registration. */
const MAX_CREDENTIAL_ID_BYTES = 1023;

export function createPasskeyVerifier(config: WebAuthnConfig): PasskeyVerifier {
  return {
    verifyRegistration(credential, challenge) {
      const { credentialId, clientDataJson, attestationObject, transports } = parseRegistration(credential);
      return ceremony(() => {
        const attestation = readAttestationObject(attestationObject);
        const signed = { clientDataJson, authenticatorData: attestation.authenticatorData };
        const { attested, counter, ...data } = requireCeremony(
          signed,
          { type: "webauthn.create", challenge, userVerification: "required" },
          config,
        );
        if (attested === null) throw new Error("the authenticator made no passkey");
        if (attested.credentialId.length > MAX_CREDENTIAL_ID_BYTES)
          throw new Error("the id of the passkey is too long");
        if (encodeBase64Url(attested.credentialId) !== credentialId)
          throw new Error("the authenticator made a passkey of another id");
        const publicKey = importCosePublicKey(attested.publicKey);
        requireAttestation(attestation, publicKey, signedMessage(signed));
        return {
          credentialId,
          registration: credential,
          credential: {
            publicKey: encodeBase64Url(publicKey.canonical),
            algorithm: publicKey.algorithm,
            counter,
            transports: [...transports],
            aaguid: attested.aaguid,
            deviceType: data.backupEligible ? "multiDevice" : "singleDevice",
            backedUp: data.backedUp,
            userVerified: data.userVerified,
          },
        };
      });
    },

    verifyAssertion(assertion, { challenge, nonce }, credential) {
      const encoded = storedPublicKey(credential);
      return ceremony(() => {
        const { counter, backupEligible } = requireCeremony(
          assertion,
          { type: "webauthn.get", challenge, userVerification: "required" },
          config,
        );
        const publicKey = importCosePublicKey(encoded);
        if (!verifyCoseSignature(publicKey, signedMessage(assertion), assertion.signature))
          throw new Error("the signature does not verify");
        const shown = { counter, backupEligible };
        requireCounterGrowth("webauthn_error", credential, shown, [nonce]);
        return shown;
      });
    },
  };
}

/** Runs steps without I/O: whatever they throw is an error of the client. */
function ceremony<T>(steps: () => T): T {
  try {
    return steps();
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    throw new ServiceError("webauthn_error", "The passkey response was not accepted", { cause: error });
  }
}
