/** How state changes: decide what becomes of a backup, commit it in one atomic step, then delete what it replaced. */

import { ServiceError } from "../errors.ts";
import { isCounterRegression } from "../proofs/passkey/signature-counter.ts";
import type { Background } from "../runtime/background.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type {
  BlobRef,
  BlobStore,
  Change,
  Consumption,
  Nonce,
  RecordStore,
  SyncFactorToken,
} from "../storage/contract.ts";
import type { Access, Entry, Proven } from "./access.ts";
import {
  allFactorRefs,
  type BackupMetadata,
  isSameBackup,
  passkeyCredential,
  storedMetadata,
} from "./model.ts";
import { alreadyUsed, errorOf, fail } from "./outcomes.ts";
import { withPasskeyCounter } from "./rules.ts";

/** How often an operation decides again after it lost a race. */
export const MAX_ATTEMPTS = 5;

/** What becomes of a backup, `null` for its end, and what goes with that. */
interface Decision<Next> extends Omit<Change, "backupId" | "expect" | "next" | "consume"> {
  readonly next: Next;
}

/** Bounds how much is taken away from one backup. */
export interface DestructionLimit {
  /** Throws when it was too much lately. */
  admitDestruction(backupId: string): void;
  countDestruction(backupId: string): void;
}

/** Is called after the commit of what it reports. */
export interface CounterAlerts {
  signatureCounterWentBack(backupId: string): void;
}

export interface CommitsOptions {
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly background: Background;
  readonly access: Access;
  readonly alerts: CounterAlerts;
}

export type Commits = ReturnType<typeof createCommits>;

/** The ways to change a backup, for the operations to share. */
export function createCommits({ records, blobs, clock, random, background, access, alerts }: CommitsOptions) {
  return { newFactor, change, reportCounter, spendProof, spendPlainly, spendBeside, deleteAll, discard };

  /** A factor as it is listed, made now. */
  function newFactor<Kind>(kind: Kind) {
    return { id: random.uuid(), createdAt: Math.floor(clock.nowMs() / 1000), kind };
  }

  /**
   * Decides what becomes of the metadata and commits it, with the content as it is. As long as somebody else commits
   * in between, reads and decides again. A backup that was deleted and created again in between is another one, which
   * the request was not about.
   *
   * @param first what was read already, if anything was.
   * @param spend what the change uses up.
   * @throws ServiceError `already_used`; what `load` and `decide` throw; {@link errorOf} the conflict.
   */
  async function change<Next extends BackupMetadata | null>(
    first: Entry | null,
    spend: readonly Nonce[],
    load: () => Promise<Entry>,
    decide: (current: Entry) => Decision<Next>,
  ): Promise<{ readonly before: Entry; readonly after: Next }> {
    let seen: Entry | null = null;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const before: Entry = (attempt === 0 && first) || (await load());
      if (seen !== null && !isSameBackup(seen.metadata, before.metadata)) break;
      seen = before;
      const { backupId, revision, blob } = before;
      const { next, ...rest } = decide(before);
      const outcome = await records.commit({
        ...rest,
        backupId,
        expect: { revision },
        next: next && { blob, metadata: storedMetadata(next) },
        consume: spend,
      });
      if (outcome === "committed") return { before, after: next };
      if (outcome !== "revision") throw errorOf(outcome);
    }
    throw errorOf("revision");
  }

  /**
   * Uses up the proof of an operation that changes nothing else, unless a passkey's counter is to be kept: that takes a
   * commit, which cannot be released.
   */
  async function spendProof(entry: Entry, by: Proven, issue?: SyncFactorToken): Promise<Consumption | null> {
    const { factor, nonces } = by;
    if (!isCounting(by)) return spendPlainly(nonces, issue);
    const { before } = await change(
      entry,
      nonces,
      () => access.open(entry.backupId, factor),
      ({ metadata }) => ({
        next: keepCounter(metadata, by),
        ...(issue === undefined ? {} : { issue }),
      }),
    );
    reportCounter(before, by);
    return null;
  }

  /** Reports a signature counter that went back, once the change that keeps it is committed. */
  function reportCounter(before: Entry, { factor, passkey }: Proven): void {
    if (passkey === undefined) return;
    if (isCounterRegression(passkeyCredential(before.metadata, factor), passkey.shown))
      alerts.signatureCounterWentBack(before.backupId);
  }

  /** Uses up one-time values by themselves. @throws ServiceError `already_used` */
  async function spendPlainly(nonces: readonly Nonce[], issue?: SyncFactorToken): Promise<Consumption> {
    return (await records.consume(nonces, issue)) ?? fail(alreadyUsed());
  }

  /**
   * Does something while the proof for it is used up, which saves a round trip. A token is spent only by a call that
   * succeeds: where `act` fails the proof is given back. A counting passkey's cannot be, so it is used up afterwards.
   */
  async function spendBeside<T>(
    by: Proven,
    spend: () => Promise<Consumption | null>,
    act: () => Promise<T>,
  ): Promise<T> {
    if (isCounting(by)) {
      const acted = await act();
      await spend();
      return acted;
    }
    const [spent, acted] = await Promise.allSettled([spend(), act()]);
    if (
      spent.status === "rejected" &&
      spent.reason instanceof ServiceError &&
      spent.reason.code === "already_used"
    )
      throw spent.reason;
    if (acted.status === "rejected") {
      const consumption = spent.status === "fulfilled" ? spent.value : null;
      if (consumption !== null) await background.run("give a proof back", () => consumption.release());
      throw acted.reason;
    }
    if (spent.status === "rejected") throw spent.reason;
    return acted.value;
  }

  /** Deletes a backup with everything that belongs to it. `mark` is what the deletion leaves in the store. */
  async function deleteAll(
    first: Entry,
    spend: readonly Nonce[],
    load: () => Promise<Entry>,
    mark: readonly Nonce[] = [],
  ): Promise<void> {
    const { before } = await change(first, spend, load, ({ metadata }) => ({
      next: null,
      release: allFactorRefs(metadata),
      mark,
    }));
    await discard(before.blob);
  }

  /** Deletes a blob that no record refers to. What was committed stands whether or not this succeeds. */
  function discard(blob: BlobRef): Promise<void> {
    return background.run("delete unreferenced blob", () => blobs.delete(blob.key));
  }
}

/** The metadata with the signature counter that a passkey showed with its proof, where it counts. */
export function keepCounter(metadata: BackupMetadata, by: Proven): BackupMetadata {
  return isCounting(by) ? withPasskeyCounter(metadata, by.factor, by.passkey.shown) : metadata;
}

/** Whether a passkey counts, or did so far. */
function isCounting(by: Proven): by is Proven & Required<Pick<Proven, "passkey">> {
  const { factor, passkey } = by;
  if (passkey === undefined) return false;
  return passkey.shown.counter > 0 || passkeyCredential(passkey.entry.metadata, factor).counter > 0;
}

/**
 * The values that one commit spends.
 *
 * @throws ServiceError `already_used` when the same one was to serve twice.
 */
export function distinct(values: readonly Nonce[]): readonly Nonce[] {
  if (new Set(values.map(({ id }) => id)).size < values.length) throw alreadyUsed();
  return values;
}
