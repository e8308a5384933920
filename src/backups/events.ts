/** The security log: each change that matters to the owner's safety leaves an event, in the commit of the change. */
import type { EventFactor, EventKind } from "../protocol/event.ts";
import type { Scope } from "../protocol/factor.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { currentRequest } from "../runtime/current-request.ts";
import { timeOrderedId } from "../runtime/time-ordered-id.ts";
import type { FactorRef, NewEvent } from "../storage/contract.ts";
import { type BackupMetadata, type Factor, listedFactor } from "./model.ts";

/** An event as an operation states it: what happened, and to which factor. */
export interface BackupEvent {
  readonly kind: EventKind;
  /** The factor that was added or removed; nothing by default. */
  readonly subject?: EventFactor | null;
}

/** What events of one change have in common. */
export interface EventContext {
  readonly backupId: string;
  /** The log that they are appended to; `null`: they are only delivered. */
  readonly logId: string | null;
  /** The factor that authorised the change; `null` for the account key and for the operator. */
  readonly actor: EventFactor | null;
}

export interface EventFactory {
  /**
   * The stored form of the events of a change that is committed now.
   *
   * @param deliverAfterMs how long the outbox holds them back. 0 by default.
   */
  create(of: EventContext, events: readonly BackupEvent[], deliverAfterMs?: number): readonly NewEvent[];
}

export interface EventFactoryOptions {
  readonly clock: Pick<Clock, "nowMs">;
  readonly random: Random;
  /** How long a log has an event. */
  readonly keepMs: number;
  /** Whether events are delivered. */
  readonly isDelivered: boolean;
}

export function createEventFactory({
  clock,
  random,
  keepMs,
  isDelivered,
}: EventFactoryOptions): EventFactory {
  return {
    create({ backupId, logId, actor }, events, deliverAfterMs = 0) {
      const atMs = clock.nowMs();
      const client = currentRequest.getStore()?.clientApp ?? null;
      return events.map(({ kind, subject = null }, index) => ({
        id: timeOrderedId(atMs, index, random),
        backupId,
        logId,
        atMs,
        expiresAtMs: atMs + keepMs,
        deliverFromMs: isDelivered ? atMs + deliverAfterMs : null,
        body: {
          kind,
          actor: actor && { ...actor },
          subject: subject && { ...subject },
          client: client && { ...client },
        },
      }));
    },
  };
}

/** A factor as events name it. */
export function eventFactor(scope: Scope, { id, kind }: Factor): EventFactor {
  return { factorId: id, kind: kind.kind, scope };
}

/** As {@link eventFactor}, of a factor that the metadata lists; `null` where it does not list the factor. */
export function listedEventFactor(metadata: BackupMetadata, factor: FactorRef): EventFactor | null {
  const listed = listedFactor(metadata, factor);
  return listed === undefined ? null : eventFactor(factor.scope, listed);
}
