/**
 * What an operator changes for the owner of a backup: the same commits as those of the owner's own requests, without a
 * proof. So the events have no actor.
 */
import { createEventFactory, type EventFactoryOptions } from "../../backups/events.ts";
import type { BackupMetadata } from "../../backups/model.ts";
import { errorOf } from "../../backups/outcomes.ts";
import type { EventKind } from "../../protocol/event.ts";
import type { BackupRecord, Conflict } from "../../storage/contract.ts";
import { usable } from "../doctor/record-state.ts";
import type { InspectedStores } from "./inspect.ts";

export interface OperatorsChange extends EventFactoryOptions {
  readonly stores: InspectedStores;
  readonly backupId: string;
  /** Whether to check only whether it can be done. */
  readonly dryRun: boolean;
}

/** What is stored does not allow the change. Nothing was changed. */
export class Refused extends Error {
  override name = "Refused";
}

/** @throws Refused */
export function usableMetadata(
  { backupId }: OperatorsChange,
  { metadata: stored }: Pick<BackupRecord, "metadata">,
): BackupMetadata {
  const { metadata, reason } = usable(backupId, stored);
  if (metadata !== null) return metadata;
  throw new Refused(`the metadata cannot be used: ${reason.detail}`);
}

/** @param logId `null`: no log has the event. */
export function eventsOf(operators: OperatorsChange, logId: string | null, kind: EventKind) {
  const of = { backupId: operators.backupId, logId, actor: null };
  return createEventFactory(operators).create(of, [{ kind }]);
}

export function refusal(conflict: Conflict): Refused {
  return new Refused(errorOf(conflict).message);
}
