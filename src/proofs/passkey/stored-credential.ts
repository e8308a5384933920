import { type Static, Type } from "@sinclair/typebox";
import { decodeBase64Url } from "../../crypto/encoding.ts";

/** What is stored of a passkey, to verify its assertions. Part of the stored format. */
export const StoredCredential = Type.Object({
  /** base64url of the COSE_Key (RFC 9052 §7). Earlier versions also kept members that its kind does not have. */
  publicKey: Type.String(),
  /** The algorithm of `publicKey`, repeated for operators. */
  algorithm: Type.Union([Type.Literal("ES256"), Type.Literal("RS256")]),
  /** The last signature counter seen (WebAuthn L3 §6.1.1); 0 for authenticators that do not count. */
  counter: Type.Integer({ minimum: 0 }),
  /** How the device reaches the authenticator, as the device reported it: `internal`, `hybrid`, … */
  transports: Type.Array(Type.String()),
  /** The model of the authenticator as a UUID; all zero when it is not disclosed. */
  aaguid: Type.String(),
  /** Whether the passkey stays on one device or can be synchronised (WebAuthn L3 §6.1.3). */
  deviceType: Type.Union([Type.Literal("singleDevice"), Type.Literal("multiDevice")]),
  /** Whether it was synchronised when it was registered. */
  backedUp: Type.Boolean(),
  /** Whether the user was verified, not only present, when it was registered. */
  userVerified: Type.Boolean(),
});
export type StoredCredential = Static<typeof StoredCredential>;

/** The stored COSE_Key. @throws Error when it cannot be read, which is no error of the client. */
export function storedPublicKey({ publicKey }: StoredCredential): Uint8Array {
  const decoded = decodeBase64Url(publicKey);
  if (decoded === null) throw new Error("a stored public key is not base64url");
  return decoded;
}
