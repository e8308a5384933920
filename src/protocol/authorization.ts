/** The factor that authorises a request, with its proof. */
import { type Static, Type } from "@sinclair/typebox";
import { object, optional } from "./object.ts";
import { boundedJson, boundedText, characters, KIB, text } from "./text.ts";

export const PublicKey = text({
  description: "Base64 of the SEC 1 uncompressed P-256 point (65 bytes).",
  pattern: "^[A-Za-z0-9+/]{87}=$",
});

export const KeypairSignature = text({
  description: "Base64 of the DER ECDSA-SHA256 signature over the raw challenge bytes.",
  pattern: "^(?:[A-Za-z0-9+/]{4}){2,23}(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)$",
});

export const IdToken = boundedText(8 * KIB, { description: "The id_token (OpenID Connect Core §2)." });

export const OidcProvider = Type.Union([Type.Literal("GOOGLE"), Type.Literal("APPLE")]);
export type OidcProvider = Static<typeof OidcProvider>;

export const OidcToken = Type.Union([
  object({ kind: Type.Literal("GOOGLE"), token: IdToken }, { title: "Google" }),
  object(
    {
      kind: Type.Literal("APPLE"),
      token: IdToken,
      // defaults to the first configured client id
      aud: optional(text({ description: "The client id the token was issued to." })),
    },
    { title: "Apple" },
  ),
]);
export type OidcToken = Static<typeof OidcToken>;

export const PasskeyAuthorization = object(
  {
    kind: Type.Literal("PASSKEY"),
    credential: boundedJson(16 * KIB, {
      description: "The WebAuthn registration or authentication response as JSON.",
    }),
    label: optional(characters(256, { description: "The user's name for the passkey." })),
  },
  { title: "Passkey" },
);
export type PasskeyAuthorization = Static<typeof PasskeyAuthorization>;

export const OidcAccountAuthorization = object(
  {
    kind: Type.Literal("OIDC_ACCOUNT"),
    oidcToken: OidcToken,
    publicKey: PublicKey,
    signature: KeypairSignature,
  },
  { title: "Google or Apple account" },
);
export type OidcAccountAuthorization = Static<typeof OidcAccountAuthorization>;

export const EcKeypairAuthorization = object(
  { kind: Type.Literal("EC_KEYPAIR"), publicKey: PublicKey, signature: KeypairSignature },
  { title: "P-256 keypair" },
);
export type EcKeypairAuthorization = Static<typeof EcKeypairAuthorization>;

export const Authorization = Type.Union(
  [PasskeyAuthorization, OidcAccountAuthorization, EcKeypairAuthorization],
  {
    description: "The factor that authorises the request, and the solved challenge as its proof.",
  },
);
export type Authorization = Static<typeof Authorization>;

/** Where a sync factor signs, only a keypair can; other kinds are read, so that the response says what is wrong. */
export const SyncAuthorization = Type.Union(Authorization.anyOf, {
  description: "The keypair of the sync factor, and the solved challenge as its proof.",
});
