/** Changes of state: decide the next metadata of a backup, commit it in one atomic step, delete the replaced blob. */

import type { EventFactor } from "../protocol/event.ts";
import type { Background } from "../runtime/background.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { Nonce } from "../runtime/nonce.ts";
import type { BlobRef, BlobStore, Change, RecordStore, SyncFactorToken } from "../storage/contract.ts";
import type { Access, Proven, StoredBackup } from "./authorise.ts";
import { type BackupEvent, type EventFactory, listedEventFactor } from "./events.ts";
import type { Contents } from "./history.ts";
import { withLastUse } from "./last-use.ts";
import { type BackupMetadata, isSameBackup, storedMetadata } from "./model.ts";
import { alreadyUsed, errorOf } from "./outcomes.ts";
import {
  type CounterAlerts,
  counterWentBack,
  isCounting,
  keepCounter,
  reportCounter,
} from "./passkey-counter.ts";

/** How often an operation is attempted while others change the same backup. */
export const MAX_ATTEMPTS = 5;

/** The next metadata of a backup, `null` to delete it, and what else the commit changes. */
interface Decision<Next> extends Omit<Change, "backupId" | "expect" | "next" | "consume" | "events"> {
  readonly next: Next;
  /** The contents that take the place of the present ones. */
  readonly contents?: Contents;
  /** The events that the commit stores. */
  readonly events?: readonly BackupEvent[];
}

/** @param current its metadata has a `logId`. */
export type Decide<Next> = (current: StoredBackup) => Decision<Next>;

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
   * and the last use of a sync factor. A counter that went back is an event.
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
   * Decides the next metadata, and may decide other contents, and commits them. If another request commits in between,
   * reads and decides again, but not for a backup that was deleted and created again: the request was for the earlier one.
   *
   * @param first the backup as it was read before.
   * @param actorOf the factor of the backup that authorises the change; none by default.
   * @throws ServiceError `already_used`; what `reload` and `decide` throw; {@link errorOf} the conflict.
   */
  change<Next extends BackupMetadata | null>(
    nonces: readonly Nonce[],
    first: StoredBackup,
    reload: () => Promise<StoredBackup>,
    decide: Decide<Next>,
    actorOf?: (current: BackupMetadata) => EventFactor | null,
  ): Promise<Changed<Next>>;

  /**
   * Consumes a proof of an operation that changes nothing else while `act` runs, which saves a round trip. Where `act`
   * fails, the nonces are released. A commit of the record cannot be undone, so it comes after `act`: one that keeps the
   * counter of a passkey, or gives a backup of an earlier release its log.
   *
   * @throws ServiceError `already_used` before what `act` throws.
   */
  consumeDuring<T>(by: Proven, act: () => Promise<T>, more?: ConsumedWith): Promise<T>;

  /** Deletes blobs that no record refers to. A failure is logged, since the commit stands. */
  discard(...dropped: readonly BlobRef[]): Promise<void>;
}

/** What goes into the write that consumes a proof. */
export interface ConsumedWith {
  readonly issue?: SyncFactorToken;
  /** Events of the backup that the factor is on. They are removed if the operation fails. */
  readonly logged?: { readonly backup: StoredBackup; readonly events: readonly BackupEvent[] };
}

/** How long an event waits for its delivery after a write that is undone if the operation fails. */
const RELEASABLE_MS = 8_000;

export interface ChangeOptions {
  readonly records: Pick<RecordStore, "commit" | "consume">;
  readonly blobs: Pick<BlobStore, "delete">;
  readonly clock: Clock;
  readonly background: Background;
  readonly access: Access;
  readonly alerts: CounterAlerts;
  readonly random: Random;
  readonly eventFactory: EventFactory;
}

export function createChanges(options: ChangeOptions): Changes {
  const { records, blobs, clock, random, background, access, alerts, eventFactory } = options;

  const change: Changes["change"] = async (consume, first, reload, decide, actorOf = () => null) => {
    for (let attempt = 1, before = withLog(first); ; attempt++) {
      const { backupId, revision, blob, versions, metadata } = before;
      const { next, contents = { blob, versions }, events = [], ...rest } = decide(before);
      const logId = next === null && rest.setAside === undefined ? null : metadata.logId;
      const outcome = await records.commit({
        ...rest,
        backupId,
        expect: { revision },
        next: next && { ...contents, metadata: storedMetadata(next) },
        consume,
        events: eventFactory.create({ backupId, logId, actor: actorOf(metadata) }, events),
      });
      if (outcome === "committed") {
        // the commit has noted them for a collection too, in case this process crashes before they are deleted
        void discard(...(rest.collect?.blobs ?? []));
        return { before, after: next, contents };
      }
      if (outcome !== "revision" || attempt === MAX_ATTEMPTS) throw errorOf(outcome);
      const again = await reload();
      if (!isSameBackup(before.metadata, again.metadata)) throw errorOf(outcome);
      before = withLog(again);
    }
  };

  async function discard(...dropped: readonly BlobRef[]): Promise<void> {
    await Promise.all(
      dropped.map(({ key }) => background.run("delete unreferenced blob", () => blobs.delete(key))),
    );
  }

  function withLog(backup: StoredBackup) {
    const { metadata } = backup;
    return { ...backup, metadata: { ...metadata, logId: metadata.logId ?? random.uuid() } };
  }

  const changeBy: Changes["changeBy"] = async (by, first, decide, more = []) => {
    const reload = () => access.open(first.backupId, by.factor);
    const decideBy: typeof decide = (current) => {
      const metadata = withLastUse(keepCounter(current.metadata, by), by.factor, clock.nowMs());
      const decision = decide({ ...current, metadata });
      if (!counterWentBack(current.metadata, by)) return decision;
      return {
        ...decision,
        events: [{ kind: "SIGNATURE_COUNTER_WENT_BACK" }, ...(decision.events ?? [])],
      };
    };
    const actorOf = (current: BackupMetadata) => listedEventFactor(current, by.factor);
    const changed = await change(requireDistinct([...by.nonces, ...more]), first, reload, decideBy, actorOf);
    reportCounter(alerts, changed.before, by);
    return changed;
  };

  function newEvents({ factor }: Proven, { backup, events }: Required<ConsumedWith>["logged"]) {
    const { backupId, metadata } = backup;
    const { logId = null } = metadata;
    return eventFactory.create(
      { backupId, logId, actor: listedEventFactor(metadata, factor) },
      events,
      RELEASABLE_MS,
    );
  }

  return {
    change,
    changeBy,
    discard,

    async consumeDuring(by, act, { issue, logged } = {}) {
      const first = isCounting(by) ? by.passkey.backup : withoutLog(logged?.backup);
      if (first !== null) {
        const acted = await act();
        const alsoIssued = issue === undefined ? {} : { issue };
        const events = logged?.events ?? [];
        await changeBy(by, first, ({ metadata }) => ({ next: metadata, ...alsoIssued, events }));
        return acted;
      }
      const events = logged === undefined ? [] : newEvents(by, logged);
      const [consumed, acted] = await Promise.allSettled([records.consume(by.nonces, issue, events), act()]);
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

function withoutLog(backup: StoredBackup | undefined): StoredBackup | null {
  return backup !== undefined && backup.metadata.logId === undefined ? backup : null;
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
