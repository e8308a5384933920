import { bringingBack, deletedStates } from "../../backups/deleted-states.ts";
import { keptDeletion } from "../../backups/deletion.ts";
import type { Change, DeletedBackup, FactorRef, RecordStore, StoredRecord } from "../../storage/contract.ts";
import { eventsOf, type OperatorsChange, Refused, refusal, usableMetadata } from "./operators-change.ts";

/** How a state is brought back. */
export interface Undeletion {
  /** Names the state; `null` for the latest. */
  readonly deletionId: string | null;
  /**
   * Sets aside the backup that has the id now, in the same commit, and keeps it for this time. `null`: the id must be free.
   * Anyone who deletes a backup may create another one under its id, unless account proofs are enforced. The owner's only
   * means against that is a reset, which also deletes what is kept.
   */
  readonly replace: { readonly deletedKeepMs: number } | null;
}

/**
 * Brings a deleted state back, as the operation `undelete` does.
 *
 * @returns the id of the deletion that is undone.
 * @throws Refused; StorageUnavailable.
 */
export async function undeleteForOwner(
  operators: OperatorsChange,
  { deletionId, replace }: Undeletion,
): Promise<string> {
  const { random, backupId, dryRun } = operators;
  const { records } = operators.stores;
  // read before the states: they may lack that of a backup that is deleted in between
  const present = await records.read(backupId);
  const kept = await namedState(records, backupId, deletionId);
  const { metadata, change } = bringingBack(backupId, kept, usableMetadata(operators, kept), random);
  if (present !== null && replace === null) throw refusal("exists");
  const rows = await Promise.all(
    change.claim.map(async (factor) => ({ factor, owner: (await records.locate(factor, [])).backupId })),
  );
  const isFree = (owner: string | null) => owner === null || (present !== null && owner === backupId);
  if (!rows.every(({ owner }) => isFree(owner))) throw refusal("factor-claimed");
  const claim = rows.filter(({ owner }) => owner === null).map(({ factor }) => factor);
  const undeletion = { ...change, claim, events: eventsOf(operators, metadata.logId, "UNDELETED") };
  const whole =
    present === null || replace === null
      ? undeletion
      : inPlaceOf(operators, present, replace.deletedKeepMs, undeletion, change.claim);
  if (dryRun) return kept.deletionId;
  const outcome = await records.commit(whole);
  if (outcome === "not-kept") throw new Refused(NOT_KEPT);
  if (outcome !== "committed") throw refusal(outcome);
  return kept.deletionId;
}

/** The same in the place of a backup, which is kept like one that its owner deleted. */
function inPlaceOf(
  operators: OperatorsChange,
  present: StoredRecord,
  deletedKeepMs: number,
  undeletion: Change,
  listed: readonly FactorRef[],
): Change {
  if (deletedKeepMs === 0)
    throw new Refused("DELETED_KEEP_DAYS is 0, so the backup that is there now would be lost");
  const { clock, random, backupId } = operators;
  const backup = { ...present, backupId, metadata: usableMetadata(operators, present) };
  const { setAside, release = [] } = keptDeletion(
    { clock, random, history: { deletedKeepMs } },
    backup,
    null,
  );
  const rowOf = ({ scope, key }: FactorRef) => `${scope} ${key}`;
  const stay = new Set(listed.map(rowOf));
  return {
    ...undeletion,
    expect: present,
    release: release.filter((factor) => !stay.has(rowOf(factor))),
    ...(setAside === undefined ? {} : { setAside }),
    events: [...eventsOf(operators, backup.metadata.logId ?? null, "DELETED"), ...(undeletion.events ?? [])],
  };
}

const NOT_KEPT = "no such deleted state of this id is kept";

async function namedState(
  records: RecordStore,
  backupId: string,
  deletionId: string | null,
): Promise<DeletedBackup> {
  for await (const kept of deletedStates(records, backupId))
    if (deletionId === null || kept.deletionId === deletionId) return kept;
  throw new Refused(NOT_KEPT);
}
