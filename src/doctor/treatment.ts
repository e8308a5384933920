import type { Change } from "../storage/contract.ts";
import type { Examination } from "./examination.ts";
import type { Finding } from "./findings.ts";
import { type RecordState, readState } from "./record-state.ts";

/** What a look at a backup shows, and the change that would repair those findings that have a remedy. */
export interface Diagnosis {
  readonly findings: readonly Finding[];
  readonly repair: Change | null;
}

export const HEALTHY: Diagnosis = { findings: [], repair: null };

/** How often a backup that changes all the time is looked at. */
const MAX_LOOKS = 10;

/**
 * Every change of a backup gives it a fresh revision, so between two reads of the same one nothing of it changed. Two
 * reads that find no record do not say that there was none in between; three pairs of them say enough.
 */
const LOOKS_AT_NOTHING = 3;

/**
 * Looks at a backup with `look`, which reads what belongs to it after its record. What looks wrong is looked at again
 * while the record stands still: a sync, a new factor or a deletion may have come between the reads. Only what is wrong
 * then is reported, and repaired if the examination repairs.
 */
export async function treat(
  examination: Examination,
  backupId: string,
  look: (state: RecordState) => Promise<Diagnosis>,
): Promise<readonly Finding[]> {
  const { records, repair, counts } = examination;
  if ((await look(await readState(records, backupId))).findings.length === 0) return [];

  let looksAtNothing = 0;
  for (let attempt = 0; attempt < MAX_LOOKS; attempt++) {
    const before = await readState(records, backupId);
    const diagnosis = await look(before);
    if (diagnosis.findings.length === 0) return [];
    const after = await readState(records, backupId);
    if (after.kind !== before.kind || after.revision !== before.revision) continue;
    if (before.kind === "absent" && ++looksAtNothing < LOOKS_AT_NOTHING) continue;
    if (!repair || diagnosis.repair === null) return diagnosis.findings;
    if ((await records.commit(diagnosis.repair)) === "committed")
      return diagnosis.findings.map((found) => ({ ...found, repaired: found.remedy !== null }));
  }
  counts.busyBackups += 1;
  return [];
}
