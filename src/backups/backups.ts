/**
 * The operations on backups. The only code that changes state, always in this order: write the new blob, commit the
 * records in one atomic step, delete the old blob. The metadata authorises; proofs were verified before.
 */
import type { NewKeypair } from "../proofs/new-factor.ts";
import type { StoredCredential } from "../proofs/passkey/stored-credential.ts";
import type { Proof } from "../proofs/verify.ts";
import type { EncryptionKey } from "../protocol/encryption-key.ts";
import type { FactorSummary, Metadata } from "../protocol/metadata.ts";
import type { ResponseOf } from "../protocol/operations.ts";
import type { Nonce } from "../runtime/nonce.ts";
import type { Content, FactorRef } from "../storage/contract.ts";
import type { Access, Proven, StoredBackup } from "./authorise.ts";
import type { MainFactor } from "./model.ts";
import type { ReplayReporting } from "./replay.ts";
import type { FactorRemoval } from "./rules.ts";

/**
 * Each operation consumes the nonces of the proofs that it is called with when it succeeds. If it fails and one of them
 * was consumed before, the error is `already_used`.
 */
export interface Backups {
  /** For proofs that are verified before an operation: see {@link ReplayReporting.run}. */
  readonly reportingReplays: ReplayReporting["run"];

  /**
   * Returns what is public about a backup: the kinds of its main factors.
   *
   * @throws ServiceError `not_found`.
   */
  backupStatus(backupId: string): Promise<readonly FactorSummary[]>;

  /**
   * Creates a backup with one main and one sync factor.
   *
   * @throws ServiceError `already_used`; `backup_account_id_already_exists`; `factor_already_exists`. Then nothing of
   *   the new backup remains.
   */
  create(request: NewBackup): Promise<Metadata>;

  /**
   * Returns a backup, with its current content or that of a version, and a token with which one sync factor can be
   * added to it.
   *
   * @param request `client` is the client address; `versionId` is `null` for the current content.
   * @param begin called before the content is opened and before a nonce is consumed. If it throws, or the delivery
   *   fails, no nonce stays consumed. If the operation fails, the delivery is discarded.
   * @throws ServiceError as {@link Access.authorise}; `version_not_found`; what `begin` and {@link Delivery.make} throw.
   */
  retrieve<T>(
    by: Proven,
    request: { readonly client: string; readonly versionId: string | null },
    begin: (backup: { readonly backupId: string; readonly size: number }) => Delivery<T>,
  ): Promise<T>;

  /**
   * Replaces content and manifest hash, if `currentManifestHash` is current. Returns the backup's id.
   *
   * @throws ServiceError as {@link Access.authorise}; `manifest_hash_mismatch`; `encryption_public_key_mismatch`;
   *   `conflicting_lock` when the content changed during the request.
   */
  sync(by: Proven, request: ContentChange): Promise<string>;

  /**
   * Makes a version current again, content and manifest hash, if `currentManifestHash` is current. The content that was
   * current becomes a version.
   *
   * @returns the metadata afterwards.
   * @throws ServiceError as {@link Access.authorise}; `manifest_hash_mismatch`; `version_not_found`; `conflicting_lock`
   *   when the content changed during the request.
   */
  restoreVersion(
    by: Proven,
    request: { readonly versionId: string; readonly currentManifestHash: string },
  ): Promise<Metadata>;

  /**
   * Deletes a backup and everything that belongs to it. It can be brought back for a while. A factor that deleted a
   * backup lately and is on none now succeeds again, because the first response may be lost.
   *
   * @throws ServiceError as {@link Access.authorise}; `too_many_requests` after too many destructive operations on the
   *   backup; `conflicting_lock`.
   */
  deleteBackup(by: Proven): Promise<void>;

  /**
   * Brings back the latest deleted state of a backup that lists the main factor: contents, metadata and index, but for
   * the sync factor that deleted it.
   *
   * @returns the metadata afterwards.
   * @throws ServiceError `already_used`; `backup_does_not_exist` where no state with this factor is kept;
   *   `backup_account_id_already_exists`; `factor_already_exists`; as `keepCounter`. Then nothing changes.
   */
  undelete(by: Proven, backupId: string): Promise<Metadata>;

  /**
   * Reads the security log of the backup that a sync factor is on, newest event first.
   *
   * @param page `before` is the id of an event: only older ones are returned.
   * @returns `next`: the `before` of the next page, `null` at the end.
   * @throws ServiceError as {@link Access.authorise}.
   */
  listEvents(by: Proven, page: EventsPage): Promise<ResponseOf<"listEvents">>;

  /**
   * Deletes a backup on behalf of its account key, with all its deleted states, for good.
   *
   * @param nonces of the proof of the account key.
   * @throws ServiceError `already_used`; `not_found`; `conflicting_lock`.
   */
  reset(backupId: string, nonces: readonly Nonce[]): Promise<void>;

  /**
   * Returns the id of the backup that a factor is on.
   *
   * @throws ServiceError as {@link Access.authorise}.
   */
  verifyFactor(by: Proven): Promise<string>;

  /**
   * Reads the metadata of the backup that a factor is on.
   *
   * @param expectedId the backup that the client expects, if it names one.
   * @throws ServiceError as {@link Access.authorise}; with `expectedId` `unauthorized_factor`, `backup_does_not_exist`
   *   or `backup_id_mismatch` where the factor is on no backup or on another.
   */
  retrieveMetadata(by: Proven, expectedId: string | null): Promise<Metadata>;

  /**
   * Finds a passkey and its stored credential, to verify an assertion with.
   *
   * @param nonces of the challenge that the assertion is for.
   * @throws ServiceError `backup_untraceable`; as {@link Access.open}.
   */
  findPasskey(credentialId: string, nonces: readonly Nonce[]): Promise<FoundPasskey>;

  /**
   * Finds a passkey in the latest deleted state of a backup that lists it with the key of an assertion.
   *
   * @param nonces of the challenge that the assertion is for.
   * @param verify throws a ServiceError where the credential did not make the assertion.
   * @throws ServiceError `backup_does_not_exist` where no state lists it; what `verify` throws for the latest that does.
   */
  findDeletedPasskey(
    backupId: string,
    credentialId: string,
    nonces: readonly Nonce[],
    verify: (credential: StoredCredential) => void,
  ): Promise<FoundPasskey>;

  /**
   * Adds a main factor to a backup, and the encryption key that it needs. A factor that the backup lists stays as it is.
   *
   * @returns the id of the factor and the metadata afterwards.
   * @throws ServiceError as {@link Access.authorise} and `withMainFactor`; `factor_already_exists` when the factor is
   *   on another backup; `conflicting_lock`.
   */
  addFactor(
    by: Proven,
    added: Proof<MainFactor["kind"]>,
    encryptionKey: EncryptionKey | null,
  ): Promise<{ readonly factorId: string; readonly metadata: Metadata }>;

  /**
   * Adds a sync factor to the backup that a sync factor token was issued for. Returns the backup's id.
   *
   * @param request its token stays valid if this fails.
   * @throws ServiceError `already_used`; `token_not_found`; `backup_not_found`; `factor_already_exists`;
   *   `too_many_factors`; `encryption_public_key_mismatch`; `conflicting_lock`, also as `syncFactorToReplace`.
   */
  addSyncFactor(added: Proof<NewKeypair>, request: SyncFactorAddition): Promise<string>;

  /**
   * Removes a factor, and with the last main factor the whole backup.
   *
   * @returns the metadata afterwards, `null` when the backup was deleted.
   * @throws ServiceError as {@link Access.authorise} and `withoutFactor`; `too_many_requests` after too many
   *   destructive operations on the backup; `conflicting_lock`, also as `requireMeantAsLast`.
   */
  deleteFactor(by: Proven, removal: FactorRemoval): Promise<Metadata | null>;
}

export interface NewBackup {
  readonly backupId: string;
  readonly manifestHash: string;
  readonly encryptionKey: EncryptionKey;
  /** Lower-case hex; `null` if the client sent none. */
  readonly encryptionPublicKey: string | null;
  /** Of the proof of the account id, if there was one. */
  readonly nonces: readonly Nonce[];
  readonly mainFactor: Proof<MainFactor["kind"]>;
  readonly syncFactor: Proof<NewKeypair>;
  readonly content: Content;
  /** The client address. */
  readonly client: string;
}

/** New content, and the manifest hash that the client believes is current. */
export interface ContentChange {
  readonly currentManifestHash: string;
  readonly newManifestHash: string;
  /** The public key that the content is encrypted for, as lower-case hex; `null` if the client sent none. */
  readonly encryptionPublicKey: string | null;
  readonly content: Content;
  /** The client address. */
  readonly client: string;
}

/** Which events of a log. */
export interface EventsPage {
  readonly before: string | null;
  readonly limit: number;
}

/** What goes with a new sync factor. */
export interface SyncFactorAddition {
  /** The token of the recovery of the backup. */
  readonly token: string;
  /** When the challenge of the new factor was issued, by the clock of the process that did. */
  readonly challengedAtMs: number;
  /** The id of the sync factor that goes in the same commit. One that is not on the backup is ignored. */
  readonly replacedId: string | null;
  /** Recorded where the backup has none; lower-case hex, `null` if the client sent none. */
  readonly encryptionPublicKey: string | null;
}

/** What a recovery returns. */
export interface RetrievedBackup extends Omit<ResponseOf<"retrieve">, "backup"> {
  /** Bytes of `content`. */
  readonly size: number;
  readonly content: ReadableStream<Uint8Array>;
}

/** The response with a recovered backup. */
export interface Delivery<T> {
  /**
   * Prepares the response. Reads the content that `open` resolves to, or cancels it.
   *
   * @throws what `open` throws.
   */
  make(open: () => Promise<RetrievedBackup>): Promise<T>;
  /** Releases the resources of the response, prepared or not. */
  discard(): Promise<void>;
}

/** A passkey that is on a backup. */
export interface FoundPasskey {
  readonly factor: FactorRef;
  readonly backup: StoredBackup;
  /** Whether a nonce was consumed before, which is reported only after the signature was verified. */
  readonly consumed: boolean;
  readonly credential: StoredCredential;
  /** The Turnkey organisation of the backup, if it has a TURNKEY key. */
  readonly turnkeyAccountId: string | null;
}
