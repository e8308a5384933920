/** A client of the backup service for apps: browsers, React Native, Node, Bun and Deno. */
export { type BackupClient, createBackupClient } from "./backup-client.ts";
export * from "./errors.ts";
export {
  type AccountFactor,
  type AccountSession,
  type IdTokenOptions,
  idToken,
  idTokenNonce,
} from "./factors/account.ts";
export type { AccountKey } from "./factors/account-key.ts";
export {
  type KeypairFactor,
  keypair,
  keypairOf,
  type Signer,
  type WebCryptoFactor,
  type WebCryptoKeys,
} from "./factors/keypair.ts";
export type { MainFactor } from "./factors/main-factor.ts";
export { type PasskeyFactor, type PasskeyOptions, type Passkeys, passkey } from "./factors/passkey.ts";
export {
  type StampedActivity,
  type TurnkeyStamp,
  type TurnkeyStampFactor,
  type TurnkeyStampOptions,
  turnkeyStamp,
} from "./factors/turnkey-stamp.ts";
export type { Sha256 } from "./hash.ts";
export type { FactorAdded, FactorAddition } from "./operations/add-factor.ts";
export type { SyncFactorAddition } from "./operations/add-sync-factor.ts";
export type { BackupStatus } from "./operations/backup-status.ts";
export type { Created, Creation, NewEncryptionKey } from "./operations/create.ts";
export type { FactorRemoval, FactorRemoved } from "./operations/delete-factor.ts";
export type { EventsOptions } from "./operations/list-events.ts";
export type { Restoration, Restored } from "./operations/restore-version.ts";
export type { Recovered, RecoverOptions } from "./operations/retrieve.ts";
export type { MetadataOptions } from "./operations/retrieve-metadata.ts";
export type { Update, Updated } from "./operations/sync.ts";
export type { Undeleted } from "./operations/undelete.ts";
export type { BackupClientOptions } from "./options.ts";
export type { AttestableRequest, CallOptions } from "./transport/connection.ts";
export type { HttpRequest, HttpResponse, Progress, Transport } from "./transport/http.ts";
export type { Retries } from "./transport/retries.ts";
export type * from "./wire.ts";

declare global {
  // the types of a platform add members; those of React Native have no CryptoKey
  interface AbortSignal {}
  interface CryptoKey {}
}
