import type { FactorRef, JsonObject, RecordStore } from "../../storage/contract.ts";
import { examineBlobs } from "./blobs.ts";
import { diagnose, HEALTHY } from "./diagnosis.ts";
import type { Examination } from "./examination.ts";
import { type Finding, type FindingKind, finding, shownFactor } from "./findings.ts";
import { listedFactors } from "./listed-factors.ts";
import type { BackupsWithoutRows, MayBeShared } from "./missing-rows.ts";

/**
 * Checks a record: its metadata, the index rows of the factors it lists, and its ciphertexts. Where rows are missing, those
 * are left to {@link examineRows}.
 *
 * @param lacking the backup is added to it if it lacks rows.
 */
export async function examineRecord(
  examination: Examination,
  backupId: string,
  lacking: BackupsWithoutRows,
): Promise<readonly Finding[]> {
  const { records } = examination;
  const inspected: { lacksRows: boolean; metadata: JsonObject | null } = { lacksRows: false, metadata: null };
  const found = await diagnose(examination, backupId, async (state) => {
    inspected.lacksRows = false;
    inspected.metadata = state.record?.metadata ?? null;
    if (state.kind === "absent") return HEALTHY;
    const ofBlobs = state.record === null ? [] : await examineBlobs(examination, backupId, state.record);
    if (state.kind === "unusable") return { findings: [state.reason, ...ofBlobs], repair: null };

    const { factors, repeated } = listedFactors(records, backupId, state.metadata);
    const { unindexed, elsewhere } = await rowsOf(records, backupId, factors);
    inspected.lacksRows = unindexed.length > 0;
    const ofRows = inspected.lacksRows ? [] : elsewhere.map(findingOf("row-of-another-backup", backupId));
    const twice = repeated.map(findingOf("factor-twice", backupId));
    return { findings: [...twice, ...ofRows, ...ofBlobs], repair: null };
  });
  if (inspected.metadata !== null) examination.counts.addMetadata(inspected.metadata);
  if (inspected.lacksRows) lacking.add(backupId);
  return found;
}

/** Checks the index rows of a record that lacks some. */
export function examineRows(
  examination: Examination,
  backupId: string,
  mayBeShared: MayBeShared,
): Promise<readonly Finding[]> {
  const { records } = examination;
  return diagnose(examination, backupId, async (state) => {
    if (state.kind !== "valid") return HEALTHY;
    const { revision, record: next, metadata } = state;
    const { factors } = listedFactors(records, backupId, metadata);
    const { unindexed, elsewhere } = await rowsOf(records, backupId, factors);
    const claim = unindexed.filter((factor) => !mayBeShared(factor));
    const missing = unindexed.map((factor) => {
      const found = findingOf("factor-without-row", backupId)(factor);
      return claim.includes(factor) ? found : { ...found, remedy: null, detail: SHARED };
    });
    return {
      findings: [...missing, ...elsewhere.map(findingOf("row-of-another-backup", backupId))],
      repair: claim.length === 0 ? null : { backupId, expect: { revision }, next, claim },
    };
  });
}

const SHARED = "another backup lists it too, and it leads to neither";

function findingOf(kind: FindingKind, backupId: string): (factor: FactorRef) => Finding {
  return (factor) => finding(kind, { backupId, factor: shownFactor(factor) });
}

/** Of the factors of a backup, those without a row and those whose row leads to another backup. */
async function rowsOf(records: Pick<RecordStore, "locate">, backupId: string, factors: readonly FactorRef[]) {
  const rows = await Promise.all(
    factors.map(async (factor) => ({ factor, leadsTo: (await records.locate(factor, [])).backupId })),
  );
  const unindexed = rows.filter(({ leadsTo }) => leadsTo === null);
  const elsewhere = rows.filter(({ leadsTo }) => leadsTo !== null && leadsTo !== backupId);
  const factorOf = ({ factor }: { readonly factor: FactorRef }) => factor;
  return { unindexed: unindexed.map(factorOf), elsewhere: elsewhere.map(factorOf) };
}
