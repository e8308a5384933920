/** Makes the options that a device's WebAuthn API takes. */

import type { WebAuthnConfig } from "../../config/webauthn.ts";
import { encodeBase64Url } from "../../crypto/encoding.ts";
import { ServiceError } from "../../errors.ts";
import type { CreationOptions, Platform, RequestOptions } from "../../protocol/webauthn.ts";
import type { Random } from "../../runtime/clock.ts";
import { CHALLENGE_BYTES } from "../challenge-tokens.ts";
import { COSE_ALGORITHMS } from "./cose-key.ts";

const TIMEOUT_MS = 300_000;
const USER_ID_BYTES = 16;

const EXTENSIONS = { uvm: true, credProps: true };
/** `ANDROID` asks for a passkey that the device itself keeps and lists; `IOS` leaves that to the system. */
const BY_PLATFORM: Readonly<
  Record<Platform, Pick<CreationOptions["publicKey"], "authenticatorSelection" | "hints" | "extensions">>
> = {
  IOS: {
    authenticatorSelection: {
      residentKey: "discouraged",
      requireResidentKey: false,
      userVerification: "required",
    },
    extensions: {
      credentialProtectionPolicy: "userVerificationRequired",
      enforceCredentialProtectionPolicy: false,
      ...EXTENSIONS,
    },
  },
  ANDROID: {
    authenticatorSelection: {
      authenticatorAttachment: "platform",
      residentKey: "required",
      requireResidentKey: true,
      userVerification: "required",
    },
    hints: ["client-device"],
    extensions: EXTENSIONS,
  },
};

/** Options for the device, and the challenge that they contain. */
interface IssuedOptions<T> {
  readonly options: T;
  readonly challenge: Uint8Array;
}

/**
 * Options to make a passkey. There is no `prf` extension: the client adds it, and keeps its result.
 *
 * @throws ServiceError `webauthn_error` when the name or the display name is empty.
 */
export function creationOptions(
  { rpId, rpName }: WebAuthnConfig,
  random: Random,
  {
    platform,
    name,
    displayName,
  }: { readonly platform: Platform; readonly name: string; readonly displayName: string },
): IssuedOptions<CreationOptions> {
  if (name === "" || displayName === "")
    throw new ServiceError("webauthn_error", "A passkey needs a name and a display name");
  const challenge = random.bytes(CHALLENGE_BYTES);
  const options: CreationOptions = {
    publicKey: {
      rp: { name: rpName, id: rpId },
      user: { id: encodeBase64Url(random.bytes(USER_ID_BYTES)), name, displayName },
      challenge: encodeBase64Url(challenge),
      pubKeyCredParams: Object.values(COSE_ALGORITHMS).map((alg) => ({ type: "public-key", alg })),
      timeout: TIMEOUT_MS,
      attestation: "none",
      ...BY_PLATFORM[platform],
    },
  };
  return { challenge, options };
}

/** Options to use any passkey of this relying party that the device can offer. */
export function requestOptions({ rpId }: WebAuthnConfig, random: Random): IssuedOptions<RequestOptions> {
  const challenge = random.bytes(CHALLENGE_BYTES);
  return {
    challenge,
    options: {
      publicKey: {
        challenge: encodeBase64Url(challenge),
        timeout: TIMEOUT_MS,
        rpId,
        allowCredentials: [],
        userVerification: "required",
        extensions: { uvm: true },
      },
      mediation: "conditional",
    },
  };
}
