/** What is stored about one backup, for an operator who answers its owner. Nothing is changed. */

import { deletedStates } from "../../backups/deleted-states.ts";
import type { DeletedBackup, RecordStore, StoredEvent } from "../../storage/contract.ts";
import type { BlobInspection } from "../../storage/inspection.ts";
import type { RecordState } from "../doctor/record-state.ts";
import { readOfOneState } from "../unchanged-state.ts";
import { isoTime, type ShownEvent, type ShownState, shownEvent, shownState } from "./shown-state.ts";

/** How many deleted states are shown: repeated creations and deletions can make any number of them. */
export const MAX_DELETIONS_SHOWN = 20;

export interface Inspection {
  readonly backupId: string;
  /** `null` where there is no backup now. */
  readonly backup: ({ readonly changedAt: string | null } & ShownState) | null;
  /** `null` where the record is not even JSON, or there is none. */
  readonly problem: string | null;
  /** What is kept of deletions, the latest first. */
  readonly deleted: readonly ShownDeletion[];
  /** Whether earlier deletions are not shown. */
  readonly moreDeleted: boolean;
  /** The newest events of the backup and of the deleted states that are shown, newest first. */
  readonly events: readonly ShownEvent[];
}

export interface ShownDeletion extends ShownState {
  readonly deletionId: string;
  readonly deletedAt: string;
  readonly keptUntil: string;
  /** The id of the sync factor that deleted it. It stays off when the backup is brought back. */
  readonly deletedBy: string | null;
}

export interface InspectedStores {
  readonly records: RecordStore;
  readonly blobs: Pick<BlobInspection, "sizeOf">;
}

/**
 * @param maxEvents how many events are shown.
 * @throws StorageUnavailable
 */
export async function inspect(
  { records, blobs }: InspectedStores,
  backupId: string,
  maxEvents: number,
): Promise<Inspection> {
  const inspected = (state: RecordState) => inspectState({ records, blobs }, backupId, state, maxEvents);
  return (await readOfOneState(records, backupId, inspected)).found;
}

async function inspectState(
  { records, blobs }: InspectedStores,
  backupId: string,
  state: RecordState,
  maxEvents: number,
): Promise<Inspection> {
  const { shown, more } = await newestDeletions(records, backupId);
  const { record } = state;
  const logIds = new Set([record?.metadata.logId, ...shown.map(({ metadata }) => metadata.logId)]);
  return {
    backupId,
    backup: record && {
      changedAt: record.changedAtMs === null ? null : isoTime(record.changedAtMs),
      ...(await shownState(backupId, record, blobs)),
    },
    problem: state.kind === "unusable" && record === null ? state.reason.detail : null,
    deleted: await Promise.all(
      shown.map(async (deletion) => ({
        deletionId: deletion.deletionId,
        deletedAt: isoTime(deletion.deletedAtMs),
        keptUntil: isoTime(deletion.keepUntilMs),
        deletedBy: deletion.deletedBy,
        ...(await shownState(backupId, deletion, blobs)),
      })),
    ),
    moreDeleted: more,
    events: (await newestEvents(records, [...logIds].filter(isText), maxEvents)).map(shownEvent),
  };
}

async function newestDeletions(records: RecordStore, backupId: string) {
  const shown: DeletedBackup[] = [];
  for await (const deletion of deletedStates(records, backupId)) {
    if (shown.length === MAX_DELETIONS_SHOWN) return { shown, more: true };
    shown.push(deletion);
  }
  return { shown, more: false };
}

/** The ids of events order them by time, whichever log they are in. */
async function newestEvents(
  records: RecordStore,
  logIds: readonly string[],
  limit: number,
): Promise<readonly StoredEvent[]> {
  if (limit === 0) return [];
  const logs = await Promise.all(logIds.map((logId) => newestOfLog(records, logId, limit)));
  return logs
    .flat()
    .toSorted((one, other) => (one.id < other.id ? 1 : -1))
    .slice(0, limit);
}

async function newestOfLog(records: RecordStore, logId: string, limit: number): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for (let before: string | null = null; events.length < limit; ) {
    const page: Awaited<ReturnType<RecordStore["readEvents"]>> = await records.readEvents(logId, {
      before,
      limit: limit - events.length,
    });
    events.push(...page.events);
    before = page.next;
    if (before === null) break;
  }
  return events;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}
