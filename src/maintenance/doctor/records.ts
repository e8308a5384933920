import { allFactorRefs, type BackupMetadata } from "../../backups/model.ts";
import { BlobDamaged, type BlobRef, type FactorRef } from "../../storage/contract.ts";
import type { RecordInspection } from "../../storage/inspection.ts";
import { diagnose, HEALTHY } from "./diagnosis.ts";
import type { Examination } from "./examination.ts";
import { type Finding, type FindingKind, finding, shownFactor } from "./findings.ts";

/** Checks a record: its metadata, the index rows of the factors it lists, and its ciphertext. */
export function examineRecord(examination: Examination, backupId: string): Promise<readonly Finding[]> {
  const { records } = examination;
  return diagnose(examination, backupId, async (state) => {
    if (state.kind === "absent") return HEALTHY;
    const ofBlob = state.record === null ? [] : await examineBlob(examination, backupId, state.record.blob);
    if (state.kind === "unusable") return { findings: [state.reason, ...ofBlob], repair: null };

    const { revision, record: next, metadata } = state;
    const { factors, repeated } = listedFactors(records, metadata);
    const rows = await Promise.all(
      factors.map(async (factor) => ({ factor, leadsTo: (await records.locate(factor, [])).backupId })),
    );
    const unindexed = rows.filter(({ leadsTo }) => leadsTo === null).map(({ factor }) => factor);
    const elsewhere = rows.filter(({ leadsTo }) => leadsTo !== null && leadsTo !== backupId);
    const about = (kind: FindingKind, factor: FactorRef) =>
      finding(kind, { backupId, factor: shownFactor(factor) });
    return {
      findings: [
        ...repeated.map((factor) => about("factor-twice", factor)),
        ...unindexed.map((factor) => about("factor-without-row", factor)),
        ...elsewhere.map(({ factor }) => about("row-of-another-backup", factor)),
        ...ofBlob,
      ],
      repair: unindexed.length === 0 ? null : { backupId, expect: { revision }, next, claim: unindexed },
    };
  });
}

/** The factors that the metadata lists, in stored form and each once, and those that repeat the key or id of another. */
function listedFactors(records: RecordInspection, metadata: BackupMetadata) {
  const ids = [...metadata.factors, ...metadata.syncFactors].map(({ id }) => id);
  const seen = new Set<string>();
  const factors: FactorRef[] = [];
  const repeated: FactorRef[] = [];
  for (const [index, listed] of allFactorRefs(metadata).entries()) {
    const factor = records.asStored(listed);
    const [key, id] = [`key ${factor.scope} ${factor.key}`, `id ${factor.scope} ${ids[index]}`];
    if (!seen.has(key)) factors.push(factor);
    if (seen.has(key) || seen.has(id)) repeated.push(factor);
    seen.add(key).add(id);
  }
  return { factors, repeated };
}

/** Checks that the current ciphertext is stored with its size and, if the examination verifies, with its hash. */
async function examineBlob(
  { blobs, verify, counts }: Examination,
  backupId: string,
  ref: BlobRef,
): Promise<Finding[]> {
  const about = { backupId, blobKey: ref.key };
  const size = await blobs.sizeOf(ref.key);
  if (size === null) return [finding("blob-missing", about)];
  if (size !== ref.size)
    return [finding("blob-damaged", { ...about, detail: `${size} bytes, not ${ref.size}` })];
  if (!verify) return [];
  try {
    const content = await blobs.get(ref);
    if (content === null) return [finding("blob-missing", about)];
    for await (const _piece of content); // ends only if all of it was verified
    counts.verifiedBytes += ref.size;
    counts.verifiedBlobs += 1;
    return [];
  } catch (error) {
    if (!(error instanceof BlobDamaged)) throw error;
    return [finding("blob-damaged", { ...about, detail: error.message })];
  }
}
