/** The options that a device's WebAuthn API takes, as JSON (WebAuthn L3 §5.4 and §5.5). Binary members are base64url. */
import { type Static, Type } from "@sinclair/typebox";
import { characters } from "./text.ts";

export const Platform = Type.Union([Type.Literal("IOS"), Type.Literal("ANDROID")], {
  description: "The operating system of the device that creates the passkey.",
});

export type Platform = Static<typeof Platform>;

export const PasskeyName = characters(256, {
  description: "The name that the user sees for the passkey.",
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
