/** Factors that record what they sign. */
import type { SecretAccountKey } from "../client/account-key.ts";
import { decodeBase64Url } from "../client/base64.ts";
import { browserPasskeys } from "../client/factors/web-authn.ts";
import { concatenated } from "../client/hash.ts";
import { type KeypairFactor, type PasskeyFactor, type Passkeys, passkey } from "../client/index.ts";
import type { RecordedSignature } from "./record.ts";

export type RecordSignature = (entry: RecordedSignature) => void;

const CHALLENGE_BYTES = 32;

export function recordedKeypair(
  factor: KeypairFactor,
  signer: string,
  record: RecordSignature,
): KeypairFactor {
  return {
    ...factor,
    async sign(message) {
      const signature = await factor.sign(message);
      const bound = message.length === CHALLENGE_BYTES ? "" : ", then the digest of what is added";
      const form = `The challenge of ${CHALLENGE_BYTES} bytes${bound}. ECDSA on P-256 with SHA-256, DER.`;
      record({ kind: "signature", signer, form, message, signature });
      return signature;
    },
  };
}

export function recordedPasskey(name: string, record: RecordSignature): PasskeyFactor {
  return passkey({ name, label: name, passkeys: recordedPasskeys(record) });
}

export function recordedAccountKey(key: SecretAccountKey, record: RecordSignature): SecretAccountKey {
  return {
    ...key,
    sign(message) {
      const signature = key.sign(message);
      const form = "The challenge. ECDSA on secp256k1 with SHA-256, DER, low s.";
      record({ kind: "signature", signer: "The account key", form, message, signature });
      return signature;
    },
  };
}

/** A registration is not signed: the service asks for no attestation. */
function recordedPasskeys(record: RecordSignature): Passkeys {
  const passkeys = browserPasskeys();
  return {
    create: (options) => passkeys.create(options),
    async get(options) {
      const credential: { readonly response?: AssertionResponse } = await passkeys.get(options);
      const { clientDataJSON = "", authenticatorData = "", signature = "" } = credential.response ?? {};
      const clientData = decodeBase64Url(clientDataJSON);
      const clientDataHash = new Uint8Array(await crypto.subtle.digest("SHA-256", clientData));
      const shown = new TextDecoder().decode(clientData);
      record({
        kind: "signature",
        signer: "The passkey",
        form: `The authenticator data, then the SHA-256 of the client data: ${shown}`,
        message: concatenated(decodeBase64Url(authenticatorData), clientDataHash),
        signature: decodeBase64Url(signature),
      });
      return credential;
    },
  };
}

interface AssertionResponse {
  readonly clientDataJSON?: string;
  readonly authenticatorData?: string;
  readonly signature?: string;
}
