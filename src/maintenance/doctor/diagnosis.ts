import type { Change } from "../../storage/contract.ts";
import { readOfOneState } from "../unchanged-state.ts";
import type { Examination } from "./examination.ts";
import type { Finding } from "./findings.ts";
import type { RecordState } from "./record-state.ts";

/** What is wrong with a backup, and the change that would repair those findings that have a remedy. */
export interface Diagnosis {
  readonly findings: readonly Finding[];
  readonly repair: Change | null;
}

export const HEALTHY: Diagnosis = { findings: [], repair: null };

/** How often a repair is attempted of a backup that changes all the time. */
const MAX_REPAIRS = 10;

/**
 * Inspects a backup with `inspect`, which reads what belongs to it after its record. A finding counts only if the
 * record's revision did not change around it. Findings that have a remedy are repaired if the examination repairs.
 */
export async function diagnose(
  examination: Examination,
  backupId: string,
  inspect: (state: RecordState) => Promise<Diagnosis>,
): Promise<readonly Finding[]> {
  const { records, repair, counts } = examination;
  for (let attempt = 0; attempt < MAX_REPAIRS; attempt++) {
    const { found, isOfOneState } = await readOfOneState(records, backupId, inspect, isHealthy);
    if (!isOfOneState) break;
    if (!repair || found.repair === null || isHealthy(found)) return found.findings;
    if ((await records.commit(found.repair)) === "committed")
      return found.findings.map((each) => ({ ...each, repaired: each.remedy !== null }));
  }
  counts.busyBackups += 1;
  return [];
}

function isHealthy({ findings }: Diagnosis): boolean {
  return findings.length === 0;
}
