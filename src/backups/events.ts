/** The security log: each change that matters to the owner's safety leaves an event, in the commit of the change. */
import type { EventFactor, EventKind } from "../protocol/event.ts";
import type { Scope } from "../protocol/factor.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { currentRequest } from "../runtime/current-request.ts";
import { timeOrderedId } from "../runtime/time-ordered-id.ts";
import type { FactorRef, NewEvent } from "../storage/contract.ts";
import { type BackupMetadata, type Factor, listedFactor } from "./model.ts";

/** What happened, and to which factor. */
export interface Happening {
  readonly kind: EventKind;
  /** The factor that was added or removed; nothing by default. */
  readonly subject?: EventFactor | null;
}

/** Whose events they are, and which log has them. */
export interface EventsOf {
  readonly backupId: string;
  /** `null`: no log has them, they are only delivered. */
  readonly logId: string | null;
  /** The factor that authorised the change; `null` for the account key and for the operator. */
  readonly actor: EventFactor | null;
}

export interface EventWriter {
  /**
   * The events of a change that is committed now.
   *
   * @param deliverAfterMs how long the outbox holds them back. 0 by default.
   */
  events(of: EventsOf, happenings: readonly Happening[], deliverAfterMs?: number): readonly NewEvent[];
}

export interface EventWriterOptions {
  readonly clock: Pick<Clock, "nowMs">;
  readonly random: Random;
  /** How long a log has an event. */
  readonly keepMs: number;
  /** Whether events are delivered. */
  readonly isDelivered: boolean;
}

export function createEventWriter({ clock, random, keepMs, isDelivered }: EventWriterOptions): EventWriter {
  return {
    events({ backupId, logId, actor }, happenings, deliverAfterMs = 0) {
      const atMs = clock.nowMs();
      const client = currentRequest.getStore()?.app ?? null;
      return happenings.map(({ kind, subject = null }, index) => ({
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

/** What an event says of a factor. */
export function eventFactor(scope: Scope, { id, kind }: Factor): EventFactor {
  return { factorId: id, kind: kind.kind, scope };
}

/** The same of a factor that the metadata lists; `null` where it does not. */
export function listedEventFactor(metadata: BackupMetadata, factor: FactorRef): EventFactor | null {
  const listed = listedFactor(metadata, factor);
  return listed === undefined ? null : eventFactor(factor.scope, listed);
}
