import { allFactorRefs, type BackupMetadata } from "../../backups/model.ts";
import type { FactorRef, RecordStore } from "../../storage/contract.ts";
import type { RecordInspection } from "../../storage/inspection.ts";
import { examineBlob } from "./blobs.ts";
import { type Diagnosis, diagnose, HEALTHY } from "./diagnosis.ts";
import type { Examination } from "./examination.ts";
import { type Finding, finding, shownFactor } from "./findings.ts";
import type { RecordState } from "./record-state.ts";

/** Checks a record: its metadata, the index rows of the factors it lists, and its ciphertext. */
export function examineRecord(examination: Examination, backupId: string): Promise<readonly Finding[]> {
  return diagnose(examination, backupId, (state) => inspectRecord(examination, backupId, state));
}

async function inspectRecord(
  examination: Examination,
  backupId: string,
  state: RecordState,
): Promise<Diagnosis> {
  if (state.kind === "absent") return HEALTHY;
  const ofBlob = state.record === null ? [] : await examineBlob(examination, backupId, state.record.blob);
  if (state.kind === "doubtful") return { findings: [state.reason, ...ofBlob], repair: null };

  const { revision, record, metadata } = state;
  const factors = distinctFactors(examination.records, metadata);
  const rows = await Promise.all(factors.map((factor) => rowState(examination.records, backupId, factor)));
  const unindexed = factors.filter((_, index) => rows[index] === "missing");
  const elsewhere = factors.filter((_, index) => rows[index] === "of another backup");
  return {
    findings: [
      ...factorsTwice(examination.records, backupId, metadata),
      ...unindexed.map((factor) => finding("factor-without-row", { backupId, factor: shownFactor(factor) })),
      ...elsewhere.map((factor) =>
        finding("row-of-another-backup", { backupId, factor: shownFactor(factor) }),
      ),
      ...ofBlob,
    ],
    repair:
      unindexed.length === 0 ? null : { backupId, expect: { revision }, next: record, claim: unindexed },
  };
}

async function rowState(
  records: RecordStore,
  backupId: string,
  factor: FactorRef,
): Promise<"right" | "missing" | "of another backup"> {
  const { backupId: found } = await records.locate(factor, []);
  if (found === null) return "missing";
  return found === backupId ? "right" : "of another backup";
}

/** The factors that the metadata lists, as they are stored, each once. */
function distinctFactors(records: RecordInspection, metadata: BackupMetadata): FactorRef[] {
  const named = allFactorRefs(metadata)
    .map((factor) => records.asStored(factor))
    .map((factor) => [`${factor.scope} ${factor.key}`, factor] as const);
  return [...new Map(named).values()];
}

function factorsTwice(records: RecordInspection, backupId: string, metadata: BackupMetadata): Finding[] {
  const seen = new Set<string>();
  const ids = [
    ...metadata.factors.map(({ id }) => `MAIN ${id}`),
    ...metadata.syncFactors.map(({ id }) => `SYNC ${id}`),
  ];
  const twice: Finding[] = [];
  for (const [index, listed] of allFactorRefs(metadata).entries()) {
    const factor = records.asStored(listed);
    const names = [`factor ${factor.scope} ${factor.key}`, `id ${ids[index]}`];
    if (names.some((name) => seen.has(name)))
      twice.push(finding("factor-twice", { backupId, factor: shownFactor(factor) }));
    for (const name of names) seen.add(name);
  }
  return twice;
}
