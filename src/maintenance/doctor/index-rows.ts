import type { FactorRef } from "../../storage/contract.ts";
import type { RecordInspection } from "../../storage/inspection.ts";
import { diagnose, HEALTHY } from "./diagnosis.ts";
import type { Examination } from "./examination.ts";
import { type Finding, finding, shownFactor } from "./findings.ts";
import { storedFactors } from "./listed-factors.ts";
import type { RecordState } from "./record-state.ts";

/** Checks that an index row leads to a backup that lists its factor. */
export function examineIndexRow(
  examination: Examination,
  { factor, backupId }: { readonly factor: FactorRef; readonly backupId: string },
): Promise<readonly Finding[]> {
  const { records } = examination;
  return diagnose(examination, backupId, async (state) => {
    if (state.kind === "unusable" || listsStored(records, backupId, state, factor)) return HEALTHY;
    // the row may have changed since it was listed
    if ((await records.locate(factor, [])).backupId !== backupId) return HEALTHY;
    const kind = state.kind === "absent" ? "row-without-backup" : "row-without-factor";
    return {
      findings: [finding(kind, { backupId, factor: shownFactor(factor) })],
      repair:
        state.kind === "absent"
          ? { backupId, expect: "absent", next: null, release: [factor] }
          : { backupId, expect: { revision: state.revision }, next: state.record, release: [factor] },
    };
  });
}

/** Compares keys as they are stored: of some keys the store has only a hash. */
function listsStored(
  records: RecordInspection,
  backupId: string,
  state: RecordState,
  factor: FactorRef,
): boolean {
  return (
    state.kind === "valid" &&
    storedFactors(records, backupId, state.metadata).some(
      ({ scope, key }) => scope === factor.scope && key === factor.key,
    )
  );
}
