/**
 * What an operator changes for the owner of a backup: the same commits as those of the owner's own requests, authorised by
 * nobody's proof. So the events have no actor.
 */
import { bringingBack, deletedStates } from "../../backups/deleted-states.ts";
import { createEventWriter, type EventWriterOptions, type Happening } from "../../backups/events.ts";
import { withContent } from "../../backups/history.ts";
import { type BackupMetadata, storedMetadata } from "../../backups/model.ts";
import { errorOf } from "../../backups/outcomes.ts";
import type { BackupRecord, DeletedBackup, RecordStore } from "../../storage/contract.ts";
import { usable } from "../doctor/record-state.ts";
import type { InspectedStores } from "./inspect.ts";
import { shownBlob } from "./shown-state.ts";

export interface OperatorsChange extends EventWriterOptions {
  readonly stores: InspectedStores;
  readonly backupId: string;
  /** Whether to check only whether it can be done. */
  readonly dryRun: boolean;
}

/** What is stored does not allow the change. Nothing was changed. */
export class Refused extends Error {
  override name = "Refused";
}

/** The service changes a backup while it is read here; so often it is tried. */
const MAX_ATTEMPTS = 5;

/**
 * Brings a deleted state back, as the operation `undelete` does.
 *
 * @param deletionId of the state; `null` for the latest.
 * @returns the id of the deletion that is undone.
 * @throws Refused; StorageUnavailable.
 */
export async function undeleteForOwner(
  operators: OperatorsChange,
  deletionId: string | null,
): Promise<string> {
  const { random, backupId, dryRun } = operators;
  const { records } = operators.stores;
  const kept = await keptState(records, backupId, deletionId);
  const { metadata, change } = bringingBack(backupId, kept, usableMetadata(backupId, kept), random);
  if (dryRun) {
    if ((await records.read(backupId)) !== null) throw refusal("exists");
    for (const factor of change.claim)
      if ((await records.locate(factor, [])).backupId !== null) throw refusal("factor-claimed");
    return kept.deletionId;
  }
  const outcome = await records.commit({
    ...change,
    events: eventOf(operators, metadata.logId, "UNDELETED"),
  });
  if (outcome === "not-kept") throw new Refused(NOT_KEPT);
  if (outcome !== "committed") throw refusal(outcome);
  return kept.deletionId;
}

/**
 * Makes a version current again, as the operation `restoreVersion` does. No version is removed, because the next update
 * decides which are kept; the policy of this process may not be that of the service.
 *
 * @throws Refused; StorageUnavailable.
 */
export async function restoreVersionForOwner(operators: OperatorsChange, versionId: string): Promise<void> {
  const { clock, random, backupId, dryRun } = operators;
  const { records, blobs } = operators.stores;
  let contentKey: string | undefined;
  for (let attempt = 1; ; attempt++) {
    const record = await records.read(backupId);
    if (record === null) throw new Refused("there is no backup of this id now");
    contentKey ??= record.blob.key;
    if (contentKey !== record.blob.key) throw refusal("revision");
    const read = usableMetadata(backupId, record);
    const version = record.versions.find((each) => each.versionId === versionId);
    if (version === undefined) throw new Refused("the backup has no such version");
    const { blob, manifestHash } = version;
    if ((await shownBlob(blob, blobs)).stored !== "there")
      throw new Refused("the ciphertext of this version is missing or damaged");
    if (dryRun) return;
    const nowMs = clock.nowMs();
    const { logId = random.uuid() } = read;
    const next = { ...read, logId, manifestHash, contentAtMs: nowMs };
    const replaced = { versionId: random.uuid(), nowMs };
    const outcome = await records.commit({
      backupId,
      expect: record,
      next: {
        metadata: storedMetadata(next),
        ...withContent({ ...record, backupId, metadata: read }, blob, KEEP_ALL, replaced),
      },
      events: eventOf(operators, logId, "VERSION_RESTORED"),
    });
    if (outcome === "committed") return;
    if (outcome !== "revision" || attempt === MAX_ATTEMPTS) throw refusal(outcome);
  }
}

const KEEP_ALL = { keepLast: Number.POSITIVE_INFINITY, keepDays: 0 };
const NOT_KEPT = "no such deleted state of this id is kept";

async function keptState(
  records: RecordStore,
  backupId: string,
  deletionId: string | null,
): Promise<DeletedBackup> {
  for await (const kept of deletedStates(records, backupId))
    if (deletionId === null || kept.deletionId === deletionId) return kept;
  throw new Refused(NOT_KEPT);
}

function usableMetadata(
  backupId: string,
  { metadata: stored }: Pick<BackupRecord, "metadata">,
): BackupMetadata {
  const { metadata, reason } = usable(backupId, stored);
  if (metadata !== null) return metadata;
  throw new Refused(`the metadata cannot be used: ${reason.detail}`);
}

function eventOf(operators: OperatorsChange, logId: string, kind: Happening["kind"]) {
  const of = { backupId: operators.backupId, logId, actor: null };
  return createEventWriter(operators).events(of, [{ kind }]);
}

function refusal(conflict: Parameters<typeof errorOf>[0]): Refused {
  return new Refused(errorOf(conflict).message);
}
