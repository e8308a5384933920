/** Passkeys: the two WebAuthn ceremonies of the relying party (WebAuthn L3 §7.1 and §7.2). */
import { verifyAuthenticationResponse, verifyRegistrationResponse } from "@simplewebauthn/server";
import { COSEALG, decodeAttestationObject, isoCBOR } from "@simplewebauthn/server/helpers";
import type { WebAuthnConfig } from "../config.ts";
import { verifyP256 } from "../crypto/ecdsa.ts";
import { decodeBase64Url, encodeBase64Url, sha256 } from "../crypto/encoding.ts";
import { ServiceError } from "../errors.ts";
import { readClientData } from "./client-data.ts";
import { importCosePublicKey } from "./cose-key.ts";
import { requireCounterGrowth } from "./signature-counter.ts";
import type { StoredCredential } from "./stored-credential.ts";
import { type ParsedAssertion, parseRegistration } from "./webauthn-credential.ts";

export interface VerifiedRegistration {
  /** base64url. */
  readonly credentialId: string;
  /** The response of the registration to the letter, as clients expect it back. */
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
  verifyRegistration(credential: unknown, challenge: Uint8Array): Promise<VerifiedRegistration>;

  /**
   * Checks that a passkey signed `challenge`. Returns the counter to keep.
   *
   * @throws ServiceError `webauthn_error` when the ceremony fails; as `CounterRegression` when only the counter is
   *   wrong, which is also how a replay looks.
   */
  verifyAssertion(
    assertion: ParsedAssertion,
    challenge: Uint8Array,
    credential: StoredCredential,
  ): Promise<{ readonly counter: number }>;
}

export function createPasskeyVerifier({ rpId, origins }: WebAuthnConfig): PasskeyVerifier {
  const expected = { expectedOrigin: [...origins], expectedRPID: rpId, requireUserVerification: true };

  return {
    async verifyRegistration(credential, challenge) {
      const { credentialId, clientDataJson, attestationObject, transports } = parseRegistration(credential);
      return ceremony(async () => {
        readClientData(clientDataJson);
        const { verified, registrationInfo } = await verifyRegistrationResponse({
          ...expected,
          expectedChallenge: encodeBase64Url(challenge),
          supportedAlgorithmIDs: [COSEALG.ES256, COSEALG.RS256],
          response: {
            id: credentialId,
            rawId: credentialId,
            type: "public-key",
            clientExtensionResults: {},
            response: {
              clientDataJSON: encodeBase64Url(clientDataJson),
              attestationObject: encodeBase64Url(withoutCertificates(attestationObject)),
            },
          },
        });
        if (!verified) throw new Error("the attestation signature does not verify");
        if (registrationInfo.credential.id !== credentialId)
          throw new Error("the authenticator made a passkey of another id");
        const { publicKey, counter } = registrationInfo.credential;
        return {
          credentialId,
          registration: credential,
          credential: {
            publicKey: encodeBase64Url(publicKey),
            algorithm: importCosePublicKey(publicKey).algorithm,
            counter,
            transports: [...transports],
            aaguid: registrationInfo.aaguid,
            deviceType: registrationInfo.credentialDeviceType,
            backedUp: registrationInfo.credentialBackedUp,
            userVerified: registrationInfo.userVerified,
          },
        };
      });
    },

    async verifyAssertion(assertion, challenge, credential) {
      const { credentialId, clientDataJson, authenticatorData, signature } = assertion;
      const publicKey = storedPublicKey(credential);
      return ceremony(async () => {
        readClientData(clientDataJson);
        const { verified, authenticationInfo } = await verifyAuthenticationResponse({
          ...expected,
          expectedChallenge: encodeBase64Url(challenge),
          response: {
            id: credentialId,
            rawId: credentialId,
            type: "public-key",
            clientExtensionResults: {},
            response: {
              clientDataJSON: encodeBase64Url(clientDataJson),
              authenticatorData: encodeBase64Url(authenticatorData),
              signature: encodeBase64Url(signature),
            },
          },
          // The counter is compared below, once it is known to be genuine.
          credential: { id: credentialId, publicKey, counter: 0 },
        });
        if (!verified || !isStrictlySigned(assertion, publicKey))
          throw new Error("the signature does not verify");
        const counter = authenticationInfo.newCounter;
        requireCounterGrowth("webauthn_error", credential, counter);
        return { counter };
      });
    },
  };
}

/**
 * An attestation object whose statement is left out when it comes with certificates. We ask for no attestation and
 * trust no maker's root, so a certificate proves nothing (WebAuthn L3 §6.5.4), and looking at one would
 * have us fetch the revocation lists it names. Self attestation (§8.2) stays and is verified.
 */
function withoutCertificates(attestationObject: Uint8Array): Uint8Array {
  const decoded = decodeAttestationObject(new Uint8Array(attestationObject));
  const format = decoded.get("fmt");
  const isSelfAttestation = format === "packed" && decoded.get("attStmt").get("x5c") === undefined;
  if (format === "none" || isSelfAttestation) return attestationObject;
  return isoCBOR.encode(
    new Map<string, string | Uint8Array | Map<string, never>>([
      ["fmt", "none"],
      ["attStmt", new Map<string, never>()],
      ["authData", decoded.get("authData")],
    ]),
  );
}

/** The library reads ECDSA signatures as BER and overlooks bytes after them; WebAuthn L3 §6.5.5 asks for DER. */
function isStrictlySigned(
  { authenticatorData, clientDataJson, signature }: ParsedAssertion,
  publicKey: Uint8Array,
): boolean {
  const { algorithm, key } = importCosePublicKey(publicKey);
  const signed = Buffer.concat([authenticatorData, sha256(clientDataJson)]);
  return algorithm !== "ES256" || verifyP256(key, signed, signature);
}

function storedPublicKey({ publicKey }: StoredCredential): Uint8Array<ArrayBuffer> {
  const decoded = decodeBase64Url(publicKey);
  if (decoded === null) throw new Error("a stored public key is not base64url");
  return new Uint8Array(decoded);
}

/** Nothing in a ceremony does any I/O: what goes wrong in one is wrong with what the client sent. */
async function ceremony<T>(steps: () => Promise<T>): Promise<T> {
  try {
    return await steps();
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    throw new ServiceError("webauthn_error", "The passkey response was not accepted", { cause: error });
  }
}
