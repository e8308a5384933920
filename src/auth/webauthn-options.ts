/** The options that a device's WebAuthn API takes, as JSON (WebAuthn L3 §5.4 and §5.5). Binary members are base64url. */
import { type Static, Type } from "@sinclair/typebox";
import type { Random } from "../clock.ts";
import type { WebAuthnConfig } from "../config/webauthn.ts";
import { encodeBase64Url } from "../crypto/encoding.ts";
import { ServiceError } from "../errors.ts";
import { CHALLENGE_BYTES } from "./challenge-tokens.ts";

const TIMEOUT_MS = 300_000;
const USER_ID_BYTES = 16;

/** The algorithms a passkey may have, preferred first (COSE numbers, RFC 9053 §2.1 and RFC 8812 §2). */
const ES256 = -7;
const RS256 = -257;

export const Platform = Type.Union([Type.Literal("IOS"), Type.Literal("ANDROID")], {
  description: "The system of the device that makes the passkey.",
});

export const CreationOptions = Type.Object(
  {
    publicKey: Type.Object({
      rp: Type.Object({ name: Type.String(), id: Type.String() }),
      user: Type.Object({
        id: Type.String({ description: "base64url of 16 random bytes." }),
        name: Type.String(),
        displayName: Type.String(),
      }),
      challenge: Type.String({ description: "base64url of 32 random bytes." }),
      pubKeyCredParams: Type.Array(Type.Object({ type: Type.Literal("public-key"), alg: Type.Integer() })),
      timeout: Type.Integer({ description: "Milliseconds." }),
      authenticatorSelection: Type.Object({
        authenticatorAttachment: Type.Optional(Type.Literal("platform")),
        residentKey: Type.Union([Type.Literal("discouraged"), Type.Literal("required")]),
        requireResidentKey: Type.Boolean(),
        userVerification: Type.Literal("required"),
      }),
      hints: Type.Optional(Type.Array(Type.Literal("client-device"))),
      attestation: Type.Literal("none"),
      extensions: Type.Object({
        credentialProtectionPolicy: Type.Optional(Type.Literal("userVerificationRequired")),
        enforceCredentialProtectionPolicy: Type.Optional(Type.Boolean()),
        uvm: Type.Boolean(),
        credProps: Type.Boolean(),
      }),
    }),
  },
  { description: "What `navigator.credentials.create()` takes." },
);
export type CreationOptions = Static<typeof CreationOptions>;

export const RequestOptions = Type.Object(
  {
    publicKey: Type.Object({
      challenge: Type.String({ description: "base64url of 32 random bytes." }),
      timeout: Type.Integer({ description: "Milliseconds." }),
      rpId: Type.String(),
      allowCredentials: Type.Array(Type.Never(), { description: "Empty: the user chooses the passkey." }),
      userVerification: Type.Literal("required"),
      extensions: Type.Object({ uvm: Type.Boolean() }),
    }),
    mediation: Type.Literal("conditional"),
  },
  { description: "What `navigator.credentials.get()` takes." },
);
export type RequestOptions = Static<typeof RequestOptions>;

/** Options for the device, and the challenge in them for the token that goes along. */
export interface IssuedOptions<T> {
  readonly options: T;
  /** 32 bytes. */
  readonly challenge: Uint8Array;
}

export interface NewPasskey {
  /** `ANDROID` asks for a passkey that the device itself keeps and lists; `IOS` leaves that to the system. */
  readonly platform: Static<typeof Platform>;
  readonly name: string;
  readonly displayName: string;
}

/**
 * Options to make a passkey. There is no `prf` extension: the client adds it, and keeps its result.
 *
 * @throws ServiceError `webauthn_error` when the name or the display name is empty.
 */
export function creationOptions(
  { rpId, rpName }: WebAuthnConfig,
  random: Random,
  { platform, name, displayName }: NewPasskey,
): IssuedOptions<CreationOptions> {
  if (name === "" || displayName === "")
    throw new ServiceError("webauthn_error", "A passkey needs a name and a display name");
  const challenge = random.bytes(CHALLENGE_BYTES);
  const extensions = { uvm: true, credProps: true };
  const publicKey = {
    rp: { name: rpName, id: rpId },
    user: { id: encodeBase64Url(random.bytes(USER_ID_BYTES)), name, displayName },
    challenge: encodeBase64Url(challenge),
    pubKeyCredParams: [ES256, RS256].map((alg) => ({ type: "public-key" as const, alg })),
    timeout: TIMEOUT_MS,
    attestation: "none" as const,
  };
  if (platform === "IOS")
    return {
      challenge,
      options: {
        publicKey: {
          ...publicKey,
          authenticatorSelection: {
            residentKey: "discouraged",
            requireResidentKey: false,
            userVerification: "required",
          },
          extensions: {
            credentialProtectionPolicy: "userVerificationRequired",
            enforceCredentialProtectionPolicy: false,
            ...extensions,
          },
        },
      },
    };
  return {
    challenge,
    options: {
      publicKey: {
        ...publicKey,
        authenticatorSelection: {
          authenticatorAttachment: "platform",
          residentKey: "required",
          requireResidentKey: true,
          userVerification: "required",
        },
        hints: ["client-device"],
        extensions,
      },
    },
  };
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
