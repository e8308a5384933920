/** The operations on the content of a backup, from its creation to its end. */

import { encodeBase64Url } from "../crypto/encoding.ts";
import type { NewFactorProof } from "../proofs/new-factor.ts";
import type { EncryptionKey } from "../protocol/encryption-key.ts";
import type { FactorSummary, Metadata } from "../protocol/metadata.ts";
import type { ResponseOf } from "../protocol/operations.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import {
  BlobDamaged,
  type BlobStore,
  type Conflict,
  type Content,
  type FactorRef,
  type Nonce,
  type RecordStore,
} from "../storage/contract.ts";
import type { Access, Entry, Proven } from "./access.ts";
import { type Commits, type DestructionLimit, distinct, MAX_ATTEMPTS } from "./commits.ts";
import { deletionMark } from "./deletion-mark.ts";
import {
  type BackupMetadata,
  type EcKeypair,
  factorRef,
  isSameBackup,
  listedFactor,
  lists,
  type MainFactor,
  storedMetadata,
} from "./model.ts";
import { withNewBlob } from "./new-content.ts";
import { errorOf, fail, isOnNoBackup, notFound, unauthorized } from "./outcomes.ts";
import { requireManifestHash } from "./rules.ts";
import {
  SYNC_FACTOR_TOKEN_BYTES,
  SYNC_FACTOR_TOKEN_LIFETIME_MS,
  syncFactorTokenId,
} from "./sync-factor-token.ts";
import { exportMetadata, summarizeFactor } from "./view.ts";

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

export interface ContentOptions {
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly access: Access;
  readonly commits: Commits;
  readonly destructions: DestructionLimit;
}

export function contentOperations({
  records,
  blobs,
  clock,
  random,
  access,
  commits,
  destructions,
}: ContentOptions) {
  const { open, enter, read } = access;
  const { newFactor, spendProof, spendPlainly, spendBeside, deleteAll, discard } = commits;
  const stores = { records, blobs, clock, discard };
  return {
    /**
     * Creates a backup with one main and one sync factor.
     *
     * @throws ServiceError `already_used`; `backup_account_id_already_exists`; `factor_already_exists`. Then nothing
     *   of the new backup remains.
     */
    async create(request: {
      readonly backupId: string;
      readonly manifestHash: string;
      readonly encryptionKey: EncryptionKey;
      /** What the proof of the account id used up, if there was one. */
      readonly nonces: readonly Nonce[];
      readonly mainFactor: NewFactorProof<MainFactor["kind"]>;
      readonly syncFactor: NewFactorProof<EcKeypair>;
      readonly content: Content;
      /** The address it comes from. */
      readonly client: string;
    }): Promise<Metadata> {
      const { backupId, manifestHash, encryptionKey, mainFactor, syncFactor } = request;
      const spend = distinct([...request.nonces, ...mainFactor.nonces, ...syncFactor.nonces]);

      const metadata: BackupMetadata = {
        id: backupId,
        manifestHash,
        keys: [encryptionKey],
        factors: [newFactor(mainFactor.kind)],
        syncFactors: [newFactor(syncFactor.kind)],
      };
      const outcome = await withNewBlob(stores, backupId, request, (blob, commit) =>
        commit({
          backupId,
          expect: "absent",
          next: { blob, metadata: storedMetadata(metadata) },
          claim: [factorRef("MAIN", mainFactor), factorRef("SYNC", syncFactor)],
          consume: spend,
        }),
      );
      if (outcome !== "committed") throw errorOf(outcome);
      return exportMetadata(metadata);
    },

    /**
     * Hands out a backup, and a token with which one sync factor can be added to it.
     *
     * @param client the address it is for.
     * @param begin called before anything is read or used up. Where it throws, or the delivery cannot be made, the proof
     *   can be used again; where the proof does not hold, the delivery is discarded.
     * @throws ServiceError as {@link Access.enter}; what `begin` and {@link Delivery.make} throw.
     */
    async retrieve<T>(
      by: Proven,
      client: string,
      begin: (backup: { readonly backupId: string; readonly size: number }) => Delivery<T>,
    ): Promise<T> {
      const entry = await enter(by);
      const syncFactorToken = encodeBase64Url(random.bytes(SYNC_FACTOR_TOKEN_BYTES));
      const issue = {
        id: syncFactorTokenId(syncFactorToken),
        backupId: entry.backupId,
        holder: (listedFactor(entry.metadata, by.factor) ?? fail(unauthorized())).id,
        expiresAtMs: clock.nowMs() + SYNC_FACTOR_TOKEN_LIFETIME_MS,
      };
      const delivery = begin({ backupId: entry.backupId, size: entry.blob.size });
      const open = async () => ({ ...(await openContent(entry, by.factor, client)), syncFactorToken });
      try {
        return await spendBeside(
          by,
          () => spendProof(entry, by, issue),
          () => delivery.make(open),
        );
      } catch (error) {
        await delivery.discard();
        throw error;
      }
    },

    /**
     * Replaces content and manifest hash, if the client's idea of the current content is right.
     *
     * @throws ServiceError as {@link Access.enter}; `manifest_hash_mismatch` when the content had changed
     *   before; `conflicting_lock` when it changed meanwhile.
     */
    async sync(by: Proven, request: ContentChange): Promise<string> {
      const first = await enter(by);
      await replaceContent(first, by, request);
      return first.backupId;
    },

    /**
     * Deletes a backup with all that belongs to it. A factor that has just deleted a backup and is on none may repeat
     * that, in case the answer was lost.
     *
     * @throws ServiceError as {@link Access.enter}; `too_many_requests` when too much was taken away from it lately;
     *   `conflicting_lock`.
     */
    async delete(by: Proven): Promise<void> {
      try {
        await deleteOnce(by);
      } catch (error) {
        const isRepetition = isOnNoBackup(error) && (await hasDeleted(by.factor));
        if (!isRepetition) throw error;
        await spendPlainly(by.nonces);
      }
    },

    /**
     * Deletes a backup on behalf of the holder of its account key.
     *
     * @throws ServiceError `already_used`; `not_found`; `conflicting_lock`.
     */
    async reset(backupId: string, nonces: readonly Nonce[]): Promise<void> {
      const load = async () => (await read(backupId)) ?? fail(notFound());
      await deleteAll(await load(), nonces, load);
    },

    /**
     * What anybody may know of a backup.
     *
     * @throws ServiceError `not_found`.
     */
    async status(backupId: string): Promise<readonly FactorSummary[]> {
      const record = await read(backupId);
      if (record === null) throw notFound();
      return record.metadata.factors.map(summarizeFactor);
    },
  };

  async function deleteOnce(by: Proven): Promise<void> {
    const entry = await enter(by);
    destructions.admitDestruction(entry.backupId);
    const mark = [deletionMark(by.factor, clock.nowMs())];
    await deleteAll(entry, by.nonces, () => open(entry.backupId, by.factor), mark);
    destructions.countDestruction(entry.backupId);
  }

  /** Whether the factor has deleted a backup lately and is on none now. */
  async function hasDeleted(factor: FactorRef): Promise<boolean> {
    const { backupId, consumed } = await records.locate(factor, [deletionMark(factor, clock.nowMs())]);
    return backupId === null && consumed;
  }

  async function replaceContent(first: Entry, by: Proven, request: ContentChange): Promise<void> {
    const { backupId } = first;
    requireManifestHash(first.metadata, request.currentManifestHash);

    const outcome = await withNewBlob(stores, backupId, request, async (blob, commit) => {
      let last: "committed" | Conflict = "revision";
      for (let attempt = 0, current: Entry | null = first; attempt < MAX_ATTEMPTS; attempt++) {
        // Another revision with the same content is a factor edit, and no reason to fail.
        if (current === null || current.blob.key !== first.blob.key || !lists(current.metadata, by.factor))
          break;
        const metadata = { ...current.metadata, manifestHash: request.newManifestHash };
        last = await commit({
          backupId,
          expect: { revision: current.revision },
          next: { blob, metadata: storedMetadata(metadata) },
          consume: by.nonces,
        });
        if (last !== "revision") break;
        current = await read(backupId);
      }
      return last;
    });
    if (outcome !== "committed") throw errorOf(outcome);
    void discard(first.blob); // the client need not wait for that
  }

  /** Opens the current content. A sync may replace it between our read and the opening: then the next one is current. */
  async function openContent(first: Entry, factor: FactorRef, client: string) {
    for (let attempt = 0, record = first; ; attempt++) {
      const content = await blobs.get(record.blob, client);
      if (content !== null)
        return { metadata: exportMetadata(record.metadata), size: record.blob.size, content };
      const again = await open(record.backupId, factor);
      // The sync factor token that goes with the content is for the backup that was there first.
      if (!isSameBackup(first.metadata, again.metadata)) throw errorOf("revision");
      if (again.blob.key === record.blob.key || attempt === MAX_ATTEMPTS)
        throw new BlobDamaged(record.blob.key, "it is missing");
      record = again;
    }
  }
}
