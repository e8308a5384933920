import type { Change } from "../../storage/contract.ts";
import type { Examination } from "./examination.ts";
import type { Finding } from "./findings.ts";
import { type RecordState, readState } from "./record-state.ts";

/** What is wrong with a backup, and the change that would repair those findings that have a remedy. */
export interface Diagnosis {
  readonly findings: readonly Finding[];
  readonly repair: Change | null;
}

export const HEALTHY: Diagnosis = { findings: [], repair: null };

/** How often a backup that changes all the time is inspected. */
const MAX_ATTEMPTS = 10;

/**
 * Every change gives a backup a new revision, so nothing changed between two reads of the same revision. Two reads without
 * a record do not prove that there was none in between; three pairs of them are taken as proof.
 */
const MIN_ABSENT_PAIRS = 3;

/**
 * Inspects a backup with `inspect`, which reads what belongs to it after its record. A finding counts only if the
 * record's revision did not change around it: a sync, a new factor or a deletion may have come between the reads.
 * Findings that have a remedy are repaired if the examination repairs.
 */
export async function diagnose(
  examination: Examination,
  backupId: string,
  inspect: (state: RecordState) => Promise<Diagnosis>,
): Promise<readonly Finding[]> {
  const { records, repair, counts } = examination;
  if ((await inspect(await readState(records, backupId))).findings.length === 0) return [];

  let absentPairs = 0;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const before = await readState(records, backupId);
    const diagnosis = await inspect(before);
    if (diagnosis.findings.length === 0) return [];
    const after = await readState(records, backupId);
    if (after.kind !== before.kind || after.revision !== before.revision) continue;
    if (before.kind === "absent" && ++absentPairs < MIN_ABSENT_PAIRS) continue;
    if (!repair || diagnosis.repair === null) return diagnosis.findings;
    if ((await records.commit(diagnosis.repair)) === "committed")
      return diagnosis.findings.map((found) => ({ ...found, repaired: found.remedy !== null }));
  }
  counts.busyBackups += 1;
  return [];
}
