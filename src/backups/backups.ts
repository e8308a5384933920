/**
 * The life of a backup. The only code that changes state, and always in this order: write the new blob, commit the
 * records in one atomic step, delete the old blob. Who may do what is decided here, by the metadata; that a factor is
 * who it says was proven before.
 */
import type { NewKeypair } from "../proofs/new-factor.ts";
import type { StoredCredential } from "../proofs/passkey/stored-credential.ts";
import type { Proof } from "../proofs/verify.ts";
import type { EncryptionKey } from "../protocol/encryption-key.ts";
import type { FactorSummary, Metadata } from "../protocol/metadata.ts";
import type { ResponseOf } from "../protocol/operations.ts";
import type { Background } from "../runtime/background.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { Nonce } from "../runtime/nonce.ts";
import type { BlobStore, Content, FactorRef, RecordStore } from "../storage/contract.ts";
import { addFactor } from "./add-factor.ts";
import { addSyncFactor } from "./add-sync-factor.ts";
import { type Access, createAccess, type Proven, type StoredBackup } from "./authorise.ts";
import { backupStatus } from "./backup-status.ts";
import { type Changes, createChanges } from "./change.ts";
import { create } from "./create.ts";
import { deleteBackup } from "./delete-backup.ts";
import { deleteFactor } from "./delete-factor.ts";
import { findPasskey } from "./find-passkey.ts";
import type { MainFactor } from "./model.ts";
import type { CounterAlerts } from "./passkey-counter.ts";
import { createReplayReporting, type ReplayReporting } from "./replay.ts";
import { reset } from "./reset.ts";
import { retrieve } from "./retrieve.ts";
import { retrieveMetadata } from "./retrieve-metadata.ts";
import type { FactorLimits, FactorRemoval } from "./rules.ts";
import { sync } from "./sync.ts";
import { verifyFactor } from "./verify-factor.ts";

/**
 * The operations. Each is called with what proved itself and consumes the nonces of that when it succeeds. Where one
 * fails although they were consumed before, the failure is `already_used`.
 */
export interface Backups {
  /** For what is proven before an operation: see {@link ReplayReporting.run}. */
  readonly reportingReplays: ReplayReporting["run"];

  /**
   * What anybody may know of a backup.
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
   * Hands out a backup, and a token with which one sync factor can be added to it.
   *
   * @param client the address it is for.
   * @param begin called before anything is read or consumed. Where it throws, or the delivery cannot be made, the proof
   *   can be used again; where the proof does not hold, the delivery is discarded.
   * @throws ServiceError as {@link Access.authorise}; what `begin` and {@link Delivery.make} throw.
   */
  retrieve<T>(
    by: Proven,
    client: string,
    begin: (backup: { readonly backupId: string; readonly size: number }) => Delivery<T>,
  ): Promise<T>;

  /**
   * Replaces content and manifest hash, if the client's idea of the current content is right. Returns the backup's id.
   *
   * @throws ServiceError as {@link Access.authorise}; `manifest_hash_mismatch` when the content had changed before;
   *   `conflicting_lock` when it changed meanwhile.
   */
  sync(by: Proven, request: ContentChange): Promise<string>;

  /**
   * Deletes a backup with all that belongs to it. A factor that has just deleted a backup and is on none may repeat
   * that, in case the answer was lost.
   *
   * @throws ServiceError as {@link Access.authorise}; `too_many_requests` when too much was taken away from it lately;
   *   `conflicting_lock`.
   */
  deleteBackup(by: Proven): Promise<void>;

  /**
   * Deletes a backup on behalf of the holder of its account key, whose proof has `nonces`.
   *
   * @throws ServiceError `already_used`; `not_found`; `conflicting_lock`.
   */
  reset(backupId: string, nonces: readonly Nonce[]): Promise<void>;

  /**
   * Returns the id of the backup that a factor is on, once per proof.
   *
   * @throws ServiceError as {@link Access.authorise}.
   */
  verifyFactor(by: Proven): Promise<string>;

  /**
   * Reads the metadata of the backup that a factor is on.
   *
   * @param expectedId the backup that the client means, if it says.
   * @throws ServiceError as {@link Access.authorise}; with `expectedId` `unauthorized_factor`, `backup_does_not_exist`
   *   or `backup_id_mismatch` where the factor is on no backup or on another.
   */
  retrieveMetadata(by: Proven, expectedId: string | null): Promise<Metadata>;

  /**
   * Finds a passkey, so that its proof can be checked with the public key that the metadata has.
   *
   * @param nonces of the challenge that it should have solved.
   * @throws ServiceError `backup_untraceable`; as {@link Access.open}.
   */
  findPasskey(credentialId: string, nonces: readonly Nonce[]): Promise<FoundPasskey>;

  /**
   * Puts a further main factor on a backup, and the encryption key it needs.
   *
   * @returns the id of the new factor and the metadata afterwards.
   * @throws ServiceError as {@link Access.authorise} and `withMainFactor`; `factor_already_exists` when the factor is
   *   on another backup; `conflicting_lock`.
   */
  addFactor(
    by: Proven,
    added: Proof<MainFactor["kind"]>,
    encryptionKey: EncryptionKey | null,
  ): Promise<{ readonly factorId: string; readonly metadata: Metadata }>;

  /**
   * Puts a further sync factor on the backup that a sync factor token is for. Returns the backup's id.
   *
   * @param token as handed out when the backup was recovered. It stays usable unless the factor was added.
   * @throws ServiceError `already_used`; `token_not_found`; `backup_not_found`; `factor_already_exists`;
   *   `too_many_factors`; `conflicting_lock`.
   */
  addSyncFactor(added: Proof<NewKeypair>, token: string): Promise<string>;

  /**
   * Removes a factor; the last main factor takes the whole backup with it.
   *
   * @returns the metadata afterwards, `null` when the backup is gone.
   * @throws ServiceError as {@link Access.authorise} and `withoutFactor`; `too_many_requests` when too much was taken
   *   away from the backup lately; `conflicting_lock`, also as `requireMeantAsLast`.
   */
  deleteFactor(by: Proven, removal: FactorRemoval): Promise<Metadata | null>;
}

export interface NewBackup {
  readonly backupId: string;
  readonly manifestHash: string;
  readonly encryptionKey: EncryptionKey;
  /** Of the proof of the account id, if there was one. */
  readonly nonces: readonly Nonce[];
  readonly mainFactor: Proof<MainFactor["kind"]>;
  readonly syncFactor: Proof<NewKeypair>;
  readonly content: Content;
  /** The address it comes from. */
  readonly client: string;
}

/** New content, and what the client believes is stored before it. */
export interface ContentChange {
  readonly currentManifestHash: string;
  readonly newManifestHash: string;
  readonly content: Content;
  /** The address it comes from. */
  readonly client: string;
}

/** What a recovery returns. */
export interface RetrievedBackup extends Omit<ResponseOf<"retrieve">, "backup"> {
  /** Bytes of `content`. */
  readonly size: number;
  readonly content: ReadableStream<Uint8Array>;
}

/** How a recovered backup reaches its client. */
export interface Delivery<T> {
  /**
   * Makes what the client gets, and reads the content that `open` resolves to, or cancels it.
   *
   * @throws what `open` throws.
   */
  make(open: () => Promise<RetrievedBackup>): Promise<T>;
  /** Gives up the delivery, made or not. */
  discard(): Promise<void>;
}

/** A passkey that is on a backup. */
export interface FoundPasskey {
  readonly factor: FactorRef;
  readonly backup: StoredBackup;
  /** Whether the challenge was used before. Its signature is verified first all the same. */
  readonly consumed: boolean;
  readonly credential: StoredCredential;
  /** The Turnkey organisation of the backup, if it has a TURNKEY key. */
  readonly turnkeyAccountId: string | null;
}

/** Bounds how much is taken away from one backup. */
export interface DestructionLimit {
  /** Throws when it was too much lately. */
  admitDestruction(backupId: string): void;
  countDestruction(backupId: string): void;
}

export interface BackupsOptions {
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly background: Background;
  readonly limits: FactorLimits;
  readonly destructions: DestructionLimit;
  readonly alerts: CounterAlerts;
}

/** What the operations are made of. */
export interface BackupsContext extends BackupsOptions {
  readonly access: Access;
  readonly changes: Changes;
}

/** Puts the operations together over one way in, one way to change, and one place where replays are reported. */
export function createBackups(options: BackupsOptions): Backups {
  const access = createAccess(options.records);
  const changes = createChanges({ ...options, access });
  const context = { ...options, access, changes };
  const replays = createReplayReporting(options.records);
  return {
    reportingReplays: replays.run,
    backupStatus: backupStatus(context),
    create: replays.of(create(context), ({ nonces, mainFactor, syncFactor }) => [
      ...nonces,
      ...mainFactor.nonces,
      ...syncFactor.nonces,
    ]),
    retrieve: replays.of(retrieve(context), (by) => by.nonces),
    sync: replays.of(sync(context), (by) => by.nonces),
    deleteBackup: replays.of(deleteBackup(context), (by) => by.nonces),
    reset: replays.of(reset(context), (_backupId, nonces) => nonces),
    verifyFactor: replays.of(verifyFactor(context), (by) => by.nonces),
    retrieveMetadata: replays.of(retrieveMetadata(context), (by) => by.nonces),
    findPasskey: replays.of(findPasskey(context), (_credentialId, nonces) => nonces),
    addFactor: replays.of(addFactor(context), (by, added) => [...by.nonces, ...added.nonces]),
    addSyncFactor: replays.of(addSyncFactor(context), (added) => added.nonces),
    deleteFactor: replays.of(deleteFactor(context), (by) => by.nonces),
  };
}
