/** What the stores have, as their contract takes and returns it. contract.ts exports all of this. */
import type { Nonce } from "../runtime/nonce.ts";

/** Names a factor in the index. The scopes have separate rows. `key` is made by {@link factorKeys}. */
export interface FactorRef {
  readonly scope: "MAIN" | "SYNC";
  readonly key: string;
  /** Set where `key` is in its stored form, which may be a hash of it (stored-key.ts). */
  readonly stored?: true;
}

/** The key of a factor in the index. Part of the stored format: a change orphans stored factors. */
export const factorKeys = {
  /** `publicKey`: base64 of the SEC 1 uncompressed point, as the client sent it. */
  ecKeypair: (publicKey: string): string => `EC_KEYPAIR|${publicKey}`,
  /** `credentialId`: base64url without padding. */
  passkey: (credentialId: string): string => `PK|${credentialId}`,
  /** `issuer` and `sub` of the id_token. */
  oidcAccount: (issuer: string, sub: string): string => `OIDC|${issuer}|${sub}`,
} as const;

/** A sync factor token as it is stored: `id` is the hash of the token, never the token. */
export interface SyncFactorToken extends Nonce {
  readonly backupId: string;
  /** The id of the main factor that it was issued to. */
  readonly holder: string;
}

/** Names a stored ciphertext. `size` in bytes, `sha256` in lower-case hex. */
export interface BlobRef {
  readonly key: string;
  readonly size: number;
  readonly sha256: string;
}

/** What `JSON.parse` returns (RFC 8259). */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [member: string]: JsonValue;
}

/** A content that a backup had before. */
export interface StoredVersion {
  /** A UUID. */
  readonly versionId: string;
  readonly manifestHash: string;
  /** When the content was stored, and when another took its place. A restore keeps the time at which it was stored. */
  readonly createdAtMs: number;
  readonly replacedAtMs: number;
  readonly blob: BlobRef;
}

/** The state of one backup. `metadata` is opaque to drivers and is returned with every member that was stored. */
export interface BackupRecord {
  readonly blob: BlobRef;
  readonly metadata: JsonObject;
  /** In the order in which they were stored. None where an earlier version of the service stored the record. */
  readonly versions: readonly StoredVersion[];
}

/** All ciphertexts that a state refers to, the current one first. */
export function blobsOf({ blob, versions }: Pick<BackupRecord, "blob" | "versions">): readonly BlobRef[] {
  return [blob, ...versions.map((version) => version.blob)];
}

/** `revision` is a new random value at every commit: a backup that is deleted and created again never repeats one. */
export interface StoredRecord extends BackupRecord {
  readonly revision: string;
  /**
   * When the service last changed it; `null` where an early version of the service stored it without the time, 0 where it
   * has not changed since it was taken over from another service.
   */
  readonly changedAtMs: number | null;
}

/** Names the deleted state of one deletion. `deletionId` is a UUID. */
export interface DeletionRef {
  readonly deletionId: string;
  readonly deletedAtMs: number;
}

/** The last state of a deleted backup. It can be brought back before `keepUntilMs`, and reads as absent from then on. */
export interface DeletedBackup extends BackupRecord, DeletionRef {
  readonly keepUntilMs: number;
  /** The id of the sync factor that deleted it; `null` where none did. */
  readonly deletedBy: string | null;
  /** The log that is deleted with the state; `null` where it has none. */
  readonly logId: string | null;
}

/** What happened to a backup. */
export interface StoredEvent {
  /** A version 7 UUID (RFC 9562 §5.7), in lower case, with the time `atMs`: events are in the order of their ids. */
  readonly id: string;
  readonly backupId: string;
  readonly atMs: number;
  /** Opaque to drivers. */
  readonly body: JsonObject;
}
