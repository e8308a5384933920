/** The operations on the factors of a backup. */

import { ServiceError } from "../errors.ts";
import type { NewFactorProof } from "../proofs/new-factor.ts";
import type { EncryptionKey } from "../protocol/encryption-key.ts";
import type { Metadata } from "../protocol/metadata.ts";
import type { Clock } from "../runtime/clock.ts";
import type { FactorRef, Nonce, RecordStore } from "../storage/contract.ts";
import type { Access, Entry, Proven } from "./access.ts";
import { type Commits, type DestructionLimit, distinct, keepCounter } from "./commits.ts";
import {
  allFactorRefs,
  type EcKeypair,
  factorRef,
  type MainFactor,
  passkeyCredential,
  type StoredCredential,
} from "./model.ts";
import { alreadyUsed, factorExists, fail, unauthorized, untraceable } from "./outcomes.ts";
import {
  type FactorLimits,
  type FactorRemoval,
  requireMeantAsLast,
  withMainFactor,
  withoutFactor,
  withSyncFactor,
} from "./rules.ts";
import { syncFactorTokenId } from "./sync-factor-token.ts";
import { exportMetadata } from "./view.ts";

/** A passkey that is on a backup. */
export interface PasskeyOnBackup {
  readonly factor: FactorRef;
  readonly entry: Entry;
  readonly credential: StoredCredential;
  /** The Turnkey organisation of the backup, if it has a TURNKEY key. */
  readonly turnkeyAccountId: string | null;
}

export interface FactorOptions {
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly access: Access;
  readonly commits: Commits;
  readonly limits: FactorLimits;
  readonly destructions: DestructionLimit;
}

export function factorOperations({ records, clock, access, commits, limits, destructions }: FactorOptions) {
  const { locate, find, open, enter, read } = access;
  const { newFactor, change, reportCounter, spendProof, discard, spendBeside, spendPlainly } = commits;
  return {
    /**
     * Returns the id of the backup that a factor is on, once per proof.
     *
     * @throws ServiceError as {@link Access.enter}.
     */
    async verifyFactor(by: Proven): Promise<string> {
      return (await enterAndSpend(by)).backupId;
    },

    /**
     * Reads the metadata of the backup that a factor is on.
     *
     * @param expectedId the backup that the client means, if it says.
     * @throws ServiceError as {@link Access.enter}; with `expectedId` `unauthorized_factor`,
     *   `backup_does_not_exist` or `backup_id_mismatch` where the factor is on no backup or on another.
     */
    async retrieveMetadata(by: Proven, expectedId: string | null): Promise<Metadata> {
      const backupId = await locate(by);
      if (backupId === null) {
        if (expectedId === null) throw untraceable();
        throw (await read(expectedId)) === null
          ? new ServiceError("backup_does_not_exist", "There is no backup of that id")
          : unauthorized();
      }
      if (expectedId !== null && expectedId !== backupId)
        throw new ServiceError("backup_id_mismatch", "The factor is on another backup");
      return exportMetadata((await openAndSpend(backupId, by)).metadata);
    },

    /**
     * Finds a passkey, so that its proof can be checked with the public key that the metadata has.
     *
     * @param _nonces of the challenge that it should have solved.
     * @throws ServiceError `already_used` when the challenge was used and the passkey is gone; otherwise as
     *   {@link Access.enter}.
     */
    async findPasskey(credentialId: string, _nonces: readonly Nonce[]): Promise<PasskeyOnBackup> {
      const factor = factorRef("MAIN", { kind: { kind: "PASSKEY", credentialId } });
      const { backupId } = await records.locate(factor, []);
      const entry = await open(backupId ?? fail(untraceable()), factor);
      const { metadata } = entry;
      return {
        factor,
        entry,
        credential: passkeyCredential(metadata, factor),
        turnkeyAccountId: metadata.keys.find((key) => key.kind === "TURNKEY")?.turnkeyAccountId ?? null,
      };
    },

    /**
     * Puts a further main factor on a backup, and the encryption key it needs.
     *
     * @returns the id of the new factor and the metadata afterwards.
     * @throws ServiceError as {@link Access.enter} and {@link withMainFactor}; `factor_already_exists` when the factor
     *   is on another backup; `conflicting_lock`.
     */
    async addMainFactor(
      by: Proven,
      added: NewFactorProof<MainFactor["kind"]>,
      encryptionKey: EncryptionKey | null,
    ): Promise<{ readonly factorId: string; readonly metadata: Metadata }> {
      const spend = distinct([...by.nonces, ...added.nonces]);
      const entry = await enter(by);
      const factor = newFactor(added.kind);
      const { before, after } = await change(
        entry,
        spend,
        () => open(entry.backupId, by.factor),
        ({ metadata }) => ({
          next: keepCounter(withMainFactor(metadata, factor, encryptionKey, limits), by),
          claim: [factorRef("MAIN", added)],
        }),
      );
      reportCounter(before, by);
      return { factorId: factor.id, metadata: exportMetadata(after) };
    },

    /**
     * Puts a further sync factor on the backup that a sync factor token is for.
     *
     * @param token as handed out when the backup was recovered. It stays usable unless the factor was added.
     * @throws ServiceError `already_used`; `token_not_found`; `backup_not_found`; `factor_already_exists`;
     *   `too_many_factors`; `conflicting_lock`.
     */
    async addSyncFactor(added: NewFactorProof<EcKeypair>, token: string): Promise<string> {
      const redeem = syncFactorTokenId(token);
      const factor = factorRef("SYNC", added);
      const [located, issued] = await Promise.all([
        records.locate(factor, added.nonces),
        records.readToken(redeem),
      ]);
      if (located.consumed || issued?.redeemed) throw alreadyUsed();
      const unknown = () =>
        new ServiceError("token_not_found", "The sync factor token is unknown or has expired");
      if (issued === null) throw unknown();
      const { backupId, holder } = issued;
      await change(
        null,
        added.nonces,
        async () =>
          (await read(backupId)) ?? fail(new ServiceError("backup_not_found", "The backup is gone")),
        ({ metadata }) => {
          // The factor that recovered was removed, or the backup was created again: the token is void.
          if (!metadata.factors.some(({ id }) => id === holder)) throw unknown();
          if (located.backupId !== null) throw factorExists();
          return {
            next: withSyncFactor(metadata, newFactor(added.kind), limits),
            claim: [factor],
            redeem,
          };
        },
      );
      return backupId;
    },

    /**
     * Removes a factor; the last main factor takes the whole backup with it.
     *
     * @returns the metadata afterwards, `null` when the backup is gone.
     * @throws ServiceError as {@link Access.enter} and {@link withoutFactor}; `too_many_requests` when too much was taken
     *   away from the backup lately; `conflicting_lock`, also as {@link requireMeantAsLast}.
     */
    async deleteFactor(by: Proven, removal: FactorRemoval): Promise<Metadata | null> {
      const entry = await enter(by);
      destructions.admitDestruction(entry.backupId);
      const { before, after } = await change(
        entry,
        by.nonces,
        () => open(entry.backupId, by.factor),
        ({ metadata }) => {
          const nowMs = clock.nowMs();
          const { next, removed } = withoutFactor(metadata, removal, nowMs);
          if (next === null)
            requireMeantAsLast(entry.metadata, metadata, { challengedAtMs: by.challengedAtMs, nowMs });
          return { next, release: next === null ? allFactorRefs(metadata) : [removed] };
        },
      );
      destructions.countDestruction(entry.backupId);
      if (after === null) await discard(before.blob);
      return after && exportMetadata(after);
    },
  };

  /** As {@link Access.enter}, and uses up the proof. */
  async function enterAndSpend(by: Proven): Promise<Entry> {
    if (by.passkey === undefined) return openAndSpend(await find(by), by);
    await spendProof(by.passkey.entry, by);
    return by.passkey.entry;
  }

  /** Reads and spends side by side. */
  function openAndSpend(backupId: string, by: Proven): Promise<Entry> {
    return spendBeside(
      by,
      () => spendPlainly(by.nonces),
      () => open(backupId, by.factor),
    );
  }
}
