import type { RecordStore } from "../storage/contract.ts";
import { type RecordState, readState } from "./doctor/record-state.ts";

/** How often a backup that changes all the time is read. */
const MAX_ATTEMPTS = 10;

/**
 * Every change gives a backup a new revision, so nothing changed between two reads of the same revision. Two reads without
 * a record do not prove that there was none in between; three pairs of them are taken as proof.
 */
const MIN_ABSENT_PAIRS = 3;

interface Found<T> {
  readonly found: T;
  /** `false`: the backup changed each time and `found` is not settled. Parts of it may be of different states. */
  readonly isOfOneState: boolean;
}

/**
 * Reads with `read` what belongs to a backup after its record, until the record's revision did not change around it: a
 * sync, a new factor or a deletion may have come between the reads.
 *
 * @param isSettled whether what was found counts even if the backup changed meanwhile. By default it never does.
 * @throws StorageUnavailable; what `read` throws.
 */
export async function readOfOneState<T>(
  records: RecordStore,
  backupId: string,
  read: (state: RecordState) => Promise<T>,
  isSettled: (found: T) => boolean = () => false,
): Promise<Found<T>> {
  let absentPairs = 0;
  for (let attempt = 1; ; attempt++) {
    const before = await readState(records, backupId);
    const found = await read(before);
    if (isSettled(found)) return { found, isOfOneState: true };
    const after = await readState(records, backupId);
    const isSame = after.kind === before.kind && after.revision === before.revision;
    if (isSame && (before.kind !== "absent" || ++absentPairs === MIN_ABSENT_PAIRS))
      return { found, isOfOneState: true };
    if (attempt === MAX_ATTEMPTS) return { found, isOfOneState: false };
  }
}
