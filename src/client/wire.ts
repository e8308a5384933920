/**
 * The wire types that the client's own types name. The build replaces this module with the same types without TypeBox, so
 * every other module of the client takes types that it exports from here.
 */
export type {
  Authorization,
  EcKeypairAuthorization,
  OidcProvider,
  OidcToken,
  PasskeyAuthorization,
} from "../protocol/authorization.ts";
export type { EncryptionKey } from "../protocol/encryption-key.ts";
export type { Event } from "../protocol/event.ts";
export type { Scope } from "../protocol/factor.ts";
export type { FactorSummary, Metadata } from "../protocol/metadata.ts";
export type { Version } from "../protocol/version.ts";
export type { CreationOptions, Platform, RequestOptions } from "../protocol/webauthn.ts";
