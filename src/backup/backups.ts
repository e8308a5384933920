/**
 * The life of a backup. The only code that changes state, and always in this order: write the new blob, commit the
 * records in one atomic step, delete the old blob. Who may do what is decided here, by the metadata; that a factor is
 * who it says was proven before.
 */
import type { Background } from "../background.ts";
import type { Clock, Random } from "../clock.ts";
import { encodeBase64Url, encodeHex, sha256 } from "../crypto/encoding.ts";
import { ServiceError } from "../errors.ts";
import {
  BlobDamaged,
  type BlobRef,
  type BlobStore,
  type Change,
  type Conflict,
  type FactorRef,
  type OneTimeValue,
  type RecordStore,
} from "../storage/contract.ts";
import {
  type ExportedMetadata,
  exportMetadata,
  type FactorSummary,
  summarizeFactor,
} from "./exported-metadata.ts";
import {
  allFactorRefs,
  type BackupMetadata,
  type EcKeypair,
  type EncryptionKey,
  lists,
  type MainFactor,
  readMetadata,
  storedMetadata,
} from "./metadata.ts";
import {
  type FactorLimits,
  type FactorRemoval,
  requireManifestHash,
  withoutFactor,
  withSyncFactor,
} from "./rules.ts";

/** A factor that proved itself, and the one-time values of its proof. */
export interface Proven {
  readonly factor: FactorRef;
  readonly oneTime: readonly OneTimeValue[];
}

/** A factor that proved itself in order to be put on a backup, and what is kept of it. */
export interface ProvenNew<Kind> extends Proven {
  readonly kind: Kind;
}

export type Content = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

export interface BackupsOptions {
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly background: Background;
  readonly limits: FactorLimits;
}

export type Backups = ReturnType<typeof createBackups>;

/** How often an operation decides again after it lost a race. */
const MAX_ATTEMPTS = 5;
const SYNC_FACTOR_TOKEN_LIFETIME_MS = 15 * 60 * 1000;
const SYNC_FACTOR_TOKEN_BYTES = 32;

export function createBackups({ records, blobs, clock, random, background, limits }: BackupsOptions) {
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
      readonly mainFactor: ProvenNew<MainFactor["kind"]>;
      readonly syncFactor: ProvenNew<EcKeypair>;
      readonly content: Content;
    }): Promise<ExportedMetadata> {
      const { backupId, manifestHash, encryptionKey, mainFactor, syncFactor } = request;
      const spend = [...mainFactor.oneTime, ...syncFactor.oneTime];
      if (new Set(spend.map(({ id }) => id)).size < spend.length) throw alreadyUsed();

      const metadata: BackupMetadata = {
        id: backupId,
        manifestHash,
        keys: [encryptionKey],
        factors: [newFactor(mainFactor.kind)],
        syncFactors: [newFactor(syncFactor.kind)],
      };
      const blob = await blobs.put(backupId, request.content);
      const outcome = await records.commit({
        backupId,
        expect: "absent",
        next: { blob, metadata: storedMetadata(metadata) },
        claim: [mainFactor.factor, syncFactor.factor],
        spend,
      });
      if (outcome === "committed") return exportMetadata(metadata);
      await discard(blob);
      throw errorOf(outcome);
    },

    /**
     * Hands out a backup, and a token with which one sync factor can be added to it.
     *
     * @throws ServiceError as {@link find} and {@link open}.
     */
    async retrieve(by: Proven): Promise<{
      readonly metadata: ExportedMetadata;
      readonly size: number;
      readonly content: ReadableStream<Uint8Array>;
      readonly syncFactorToken: string;
    }> {
      const backupId = await find(by);
      const record = await open(backupId, by.factor);
      const syncFactorToken = encodeBase64Url(random.bytes(SYNC_FACTOR_TOKEN_BYTES));
      const issue = {
        id: syncFactorTokenId(syncFactorToken),
        backupId,
        expiresAtMs: clock.nowMs() + SYNC_FACTOR_TOKEN_LIFETIME_MS,
      };
      const [opened, spent] = await Promise.allSettled([
        openContent(record, by.factor),
        records.spend(by.oneTime, issue),
      ]);
      if (opened.status === "fulfilled" && (spent.status === "rejected" || !spent.value))
        await opened.value.content.cancel();
      if (spent.status === "rejected") throw spent.reason;
      if (!spent.value) throw alreadyUsed();
      if (opened.status === "rejected") throw opened.reason;
      return { ...opened.value, syncFactorToken };
    },

    /**
     * Tells which backup a factor is on, once per proof.
     *
     * @throws ServiceError as {@link find} and {@link open}.
     */
    async verifyFactor(by: Proven): Promise<string> {
      const backupId = await find(by);
      await openAndSpend(backupId, by);
      return backupId;
    },

    /**
     * Reads the metadata of the backup that a factor is on.
     *
     * @param expectedId the backup that the client means, if it says.
     * @throws ServiceError as {@link find} and {@link open}; with `expectedId` `unauthorized_factor`,
     *   `backup_does_not_exist` or `backup_id_mismatch` where the factor is on no backup or on another.
     */
    async retrieveMetadata(by: Proven, expectedId: string | null): Promise<ExportedMetadata> {
      const { backupId, spent } = await records.locate(by.factor, by.oneTime);
      if (spent) throw alreadyUsed();
      if (backupId === null) {
        if (expectedId === null) throw untraceable();
        throw (await records.read(expectedId)) === null
          ? new ServiceError("backup_does_not_exist", "There is no backup of that id")
          : unauthorized();
      }
      if (expectedId !== null && expectedId !== backupId)
        throw new ServiceError("backup_id_mismatch", "The factor is on another backup");
      return exportMetadata((await openAndSpend(backupId, by)).metadata);
    },

    /**
     * Puts a further sync factor on the backup that a sync factor token is for.
     *
     * @param token as handed out by {@link retrieve}. It stays usable unless the factor was added.
     * @throws ServiceError `already_used`; `token_not_found`; `backup_not_found`; `factor_already_exists`;
     *   `too_many_factors`; `conflicting_lock`.
     */
    async addSyncFactor(added: ProvenNew<EcKeypair>, token: string): Promise<string> {
      const redeem = syncFactorTokenId(token);
      const [located, issued] = await Promise.all([
        records.locate(added.factor, added.oneTime),
        records.readToken(redeem),
      ]);
      if (located.spent || issued?.spent) throw alreadyUsed();
      if (issued === null)
        throw new ServiceError("token_not_found", "The sync factor token is unknown or has expired");
      const { backupId } = issued;
      await change(
        backupId,
        async () => {
          const record = await read(backupId);
          if (record === null) throw new ServiceError("backup_not_found", "The backup is gone");
          return record;
        },
        ({ blob, metadata }) => {
          if (located.backupId !== null) throw factorExists();
          const next = withSyncFactor(metadata, newFactor(added.kind), limits);
          return {
            next: { blob, metadata: storedMetadata(next) },
            claim: [added.factor],
            spend: added.oneTime,
            redeem,
          };
        },
      );
      return backupId;
    },

    /**
     * Replaces content and manifest hash, if the client's idea of the current content is right.
     *
     * @throws ServiceError as {@link find} and {@link open}; `manifest_hash_mismatch` when the content had changed
     *   before; `conflicting_lock` when it changed meanwhile.
     */
    async sync(
      by: Proven,
      request: {
        readonly currentManifestHash: string;
        readonly newManifestHash: string;
        readonly content: Content;
      },
    ): Promise<string> {
      const backupId = await find(by);
      const first = await open(backupId, by.factor);
      requireManifestHash(first.metadata, request.currentManifestHash);

      const blob = await blobs.put(backupId, request.content);
      let outcome: "committed" | Conflict = "revision";
      for (let attempt = 0, current: OpenRecord | null = first; attempt < MAX_ATTEMPTS; attempt++) {
        // Another revision with the same content is a factor edit, and no reason to fail.
        if (current === null || current.blob.key !== first.blob.key || !lists(current.metadata, by.factor))
          break;
        const metadata = { ...current.metadata, manifestHash: request.newManifestHash };
        outcome = await records.commit({
          backupId,
          expect: { revision: current.revision },
          next: { blob, metadata: storedMetadata(metadata) },
          spend: by.oneTime,
        });
        if (outcome !== "revision") break;
        current = await read(backupId);
      }
      if (outcome === "committed") {
        void discard(first.blob);
        return backupId;
      }
      void discard(blob);
      throw errorOf(outcome);
    },

    /**
     * Removes a factor; the last main factor takes the whole backup with it.
     *
     * @returns the metadata afterwards, `null` when the backup is gone.
     * @throws ServiceError as {@link find}, {@link open} and {@link withoutFactor}; `conflicting_lock`.
     */
    async deleteFactor(by: Proven, removal: FactorRemoval): Promise<ExportedMetadata | null> {
      const backupId = await find(by);
      const { before, after } = await change(
        backupId,
        () => open(backupId, by.factor),
        ({ blob, metadata }) => {
          const { next, removed } = withoutFactor(metadata, removal);
          return {
            next: next && { blob, metadata: storedMetadata(next) },
            release: next === null ? allFactorRefs(metadata) : [removed],
            spend: by.oneTime,
          };
        },
      );
      if (after === null) await discard(before.blob);
      return after && exportMetadata(readMetadata(after.metadata));
    },

    /**
     * Deletes a backup with all that belongs to it.
     *
     * @throws ServiceError as {@link find} and {@link open}; `conflicting_lock`.
     */
    async delete(by: Proven): Promise<void> {
      const backupId = await find(by);
      await deleteAll(backupId, by.oneTime, () => open(backupId, by.factor));
    },

    /**
     * Deletes a backup on behalf of the holder of its account key.
     *
     * @throws ServiceError `already_used`; `not_found`; `conflicting_lock`.
     */
    async reset(backupId: string, oneTime: readonly OneTimeValue[]): Promise<void> {
      const { spent } = await records.locate(null, oneTime);
      if (spent) throw alreadyUsed();
      await deleteAll(backupId, oneTime, async () => (await read(backupId)) ?? fail(notFound()));
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

  function newFactor<Kind>(kind: Kind) {
    return { id: random.uuid(), createdAt: Math.floor(clock.nowMs() / 1000), kind };
  }

  /**
   * The backup that a factor leads to.
   *
   * @throws ServiceError `already_used`, whatever has changed since the first use; `backup_untraceable`.
   */
  async function find({ factor, oneTime }: Proven): Promise<string> {
    const { backupId, spent } = await records.locate(factor, oneTime);
    if (spent) throw alreadyUsed();
    if (backupId === null) throw untraceable();
    return backupId;
  }

  /**
   * The record of a backup, if its metadata lists the factor.
   *
   * @throws ServiceError `backup_missing`; `unauthorized_factor`.
   */
  async function open(backupId: string, factor: FactorRef): Promise<OpenRecord> {
    const record = await read(backupId);
    if (record === null) throw new ServiceError("backup_missing", "The backup of this factor is gone");
    if (!lists(record.metadata, factor)) throw unauthorized();
    return record;
  }

  async function openAndSpend(backupId: string, { factor, oneTime }: Proven): Promise<OpenRecord> {
    const [opened, spent] = await Promise.allSettled([open(backupId, factor), records.spend(oneTime)]);
    if (opened.status === "rejected") throw opened.reason;
    if (spent.status === "rejected") throw spent.reason;
    if (!spent.value) throw alreadyUsed();
    return opened.value;
  }

  async function read(backupId: string): Promise<OpenRecord | null> {
    const record = await records.read(backupId);
    return record && { ...record, metadata: readMetadata(record.metadata) };
  }

  /** Opens the current content. A sync may replace it between our read and the opening: then the next one is current. */
  async function openContent(first: OpenRecord, factor: FactorRef) {
    for (let attempt = 0, record = first; ; attempt++) {
      const content = await blobs.get(record.blob);
      if (content !== null)
        return { metadata: exportMetadata(record.metadata), size: record.blob.size, content };
      const again = await open(record.metadata.id, factor);
      if (again.blob.key === record.blob.key || attempt === MAX_ATTEMPTS)
        throw new BlobDamaged(record.blob.key, "it is missing");
      record = again;
    }
  }

  /** Reads, decides and commits; decides anew as long as somebody else commits in between. */
  async function change(
    backupId: string,
    load: () => Promise<OpenRecord>,
    decide: (current: OpenRecord) => Omit<Change, "backupId" | "expect">,
  ): Promise<{ readonly before: OpenRecord; readonly after: Change["next"] }> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const before = await load();
      const decided = decide(before);
      const outcome = await records.commit({ backupId, expect: { revision: before.revision }, ...decided });
      if (outcome === "committed") return { before, after: decided.next };
      if (outcome !== "revision") throw errorOf(outcome);
    }
    throw errorOf("revision");
  }

  async function deleteAll(
    backupId: string,
    spend: readonly OneTimeValue[],
    load: () => Promise<OpenRecord>,
  ): Promise<void> {
    const { before } = await change(backupId, load, ({ metadata }) => ({
      next: null,
      release: allFactorRefs(metadata),
      spend,
    }));
    await discard(before.blob);
  }

  /** Deletes a blob that no record refers to. What was committed stands whether or not this succeeds. */
  function discard(blob: BlobRef): Promise<void> {
    return background.run("delete unreferenced blob", () => blobs.delete(blob.key));
  }
}

/** A stored record with its metadata read. */
interface OpenRecord {
  readonly revision: string;
  readonly blob: BlobRef;
  readonly metadata: BackupMetadata;
}

/** Sync factor tokens are stored by their hash, so that a copy of the records opens nothing. */
function syncFactorTokenId(token: string): string {
  return `sync-factor-token|${encodeHex(sha256(token))}`;
}

function errorOf(conflict: Conflict): ServiceError {
  switch (conflict) {
    case "spent":
      return alreadyUsed();
    case "exists":
      return new ServiceError(
        "backup_account_id_already_exists",
        "There is a backup of this account id already",
      );
    case "factor-claimed":
      return factorExists();
    case "revision":
      return new ServiceError("conflicting_lock", "The backup was changed by somebody else at the same time");
  }
}

const alreadyUsed = () => new ServiceError("already_used", "The challenge or token was used before");
const untraceable = () => new ServiceError("backup_untraceable", "The factor leads to no backup");
const unauthorized = () => new ServiceError("unauthorized_factor", "The factor is not on the backup");
const factorExists = () =>
  new ServiceError("factor_already_exists", "The factor is used by a backup already");
const notFound = () => new ServiceError("not_found", "There is no such backup");

function fail(error: ServiceError): never {
  throw error;
}
