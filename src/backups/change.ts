/** Changes of state: decide the next metadata of a backup, commit it in one atomic step, delete the replaced blob. */
import type { Background } from "../runtime/background.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Nonce } from "../runtime/nonce.ts";
import type { BlobRef, BlobStore, Change, RecordStore, SyncFactorToken } from "../storage/contract.ts";
import type { Access, Proven, StoredBackup } from "./authorise.ts";
import type { Contents } from "./history.ts";
import { withLastUse } from "./last-use.ts";
import { allFactorRefs, type BackupMetadata, isSameBackup, storedMetadata } from "./model.ts";
import { alreadyUsed, errorOf } from "./outcomes.ts";
import { type CounterAlerts, isCounting, keepCounter, reportCounter } from "./passkey-counter.ts";

/** How often an operation is attempted while others change the same backup. */
export const MAX_ATTEMPTS = 5;

/** The next metadata of a backup, `null` to delete it, and what else the commit changes. */
interface Decision<Next> extends Omit<Change, "backupId" | "expect" | "next" | "consume"> {
  readonly next: Next;
  /** The contents that take the place of the present ones. */
  readonly contents?: Contents;
}

type Decide<Next> = (current: StoredBackup) => Decision<Next>;

interface Changed<Next> {
  readonly before: StoredBackup;
  readonly after: Next;
  /** The contents afterwards; of a deleted backup those that it had. */
  readonly contents: Contents;
}

/** Changes backups and consumes nonces, for all operations. */
export interface Changes {
  /**
   * Changes the metadata on behalf of a factor, consumes its proof and `more`, and keeps the counter of a passkey
   * and the last use of a sync factor.
   *
   * @throws ServiceError as {@link change} and {@link Access.open}.
   */
  changeBy<Next extends BackupMetadata | null>(
    by: Proven,
    first: StoredBackup,
    decide: Decide<Next>,
    more?: readonly Nonce[],
  ): Promise<Changed<Next>>;

  /**
   * Decides the next metadata, and may decide other contents, and commits them. If another request commits in between, reads and
   * decides again, but not for a backup that was deleted and created again: the request was for the earlier one.
   *
   * @param first the backup as it was read before.
   * @throws ServiceError `already_used`; what `reload` and `decide` throw; {@link errorOf} the conflict.
   */
  change<Next extends BackupMetadata | null>(
    nonces: readonly Nonce[],
    first: StoredBackup,
    reload: () => Promise<StoredBackup>,
    decide: Decide<Next>,
  ): Promise<Changed<Next>>;

  /**
   * Consumes a proof of an operation that changes nothing else, and may issue a sync factor token in the same commit,
   * while `act` runs, which saves a round trip. Where `act` fails, the nonces are released. The commit that keeps the
   * counter of a passkey cannot be undone, so it comes after `act`.
   *
   * @throws ServiceError `already_used` before what `act` throws.
   */
  consumeDuring<T>(by: Proven, act: () => Promise<T>, issue?: SyncFactorToken): Promise<T>;

  /** Deletes blobs that no record refers to. A failure is logged, since the commit stands. */
  discard(...dropped: readonly BlobRef[]): Promise<void>;
}

export interface ChangeOptions {
  readonly records: Pick<RecordStore, "commit" | "consume">;
  readonly blobs: Pick<BlobStore, "delete">;
  readonly clock: Clock;
  readonly background: Background;
  readonly access: Access;
  readonly alerts: CounterAlerts;
}

export function createChanges({ records, blobs, clock, background, access, alerts }: ChangeOptions): Changes {
  const change: Changes["change"] = async (consume, first, reload, decide) => {
    for (let attempt = 1, before = first; ; attempt++) {
      const { backupId, revision, blob, versions } = before;
      const { next, contents = { blob, versions }, ...rest } = decide(before);
      const outcome = await records.commit({
        ...rest,
        backupId,
        expect: { revision },
        next: next && { ...contents, metadata: storedMetadata(next) },
        consume,
      });
      if (outcome === "committed") return { before, after: next, contents };
      if (outcome !== "revision" || attempt === MAX_ATTEMPTS) throw errorOf(outcome);
      const again = await reload();
      if (!isSameBackup(before.metadata, again.metadata)) throw errorOf(outcome);
      before = again;
    }
  };

  const changeBy: Changes["changeBy"] = async (by, first, decide, more = []) => {
    const reload = () => access.open(first.backupId, by.factor);
    const changed = await change(requireDistinct([...by.nonces, ...more]), first, reload, (current) =>
      decide({
        ...current,
        metadata: withLastUse(keepCounter(current.metadata, by), by.factor, clock.nowMs()),
      }),
    );
    reportCounter(alerts, changed.before, by);
    return changed;
  };

  return {
    change,
    changeBy,
    async discard(...dropped) {
      await Promise.all(
        dropped.map(({ key }) => background.run("delete unreferenced blob", () => blobs.delete(key))),
      );
    },

    async consumeDuring(by, act, issue) {
      if (isCounting(by)) {
        const acted = await act();
        const alsoIssued = issue === undefined ? {} : { issue };
        await changeBy(by, by.passkey.backup, ({ metadata }) => ({ next: metadata, ...alsoIssued }));
        return acted;
      }
      const [consumed, acted] = await Promise.allSettled([records.consume(by.nonces, issue), act()]);
      const consumption = consumed.status === "fulfilled" ? consumed.value : undefined;
      if (consumption === null) throw alreadyUsed();
      if (acted.status === "rejected") {
        if (consumption !== undefined)
          await background.runAtOnce("release nonces", () => consumption.release());
        throw acted.reason;
      }
      if (consumed.status === "rejected") throw consumed.reason;
      return acted.value;
    },
  };
}

/** Deletes a backup and everything that belongs to it. */
export function deletion({ metadata }: StoredBackup): Decision<null> {
  return { next: null, release: allFactorRefs(metadata) };
}

/**
 * The nonces that one commit consumes.
 *
 * @throws ServiceError `already_used` when two of them are the same.
 */
export function requireDistinct(nonces: readonly Nonce[]): readonly Nonce[] {
  if (new Set(nonces.map(({ id }) => id)).size < nonces.length) throw alreadyUsed();
  return nonces;
}
